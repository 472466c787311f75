//! A cable between two namespaces, and what tunmon says of it.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use tests::frame::base_packets;
use tests::netns::{self, End, Namespace};
use tests::raw::{self, How};
use tests::tunmon::{self, Summary, Tunmon};
use tests::{needs, wait};

/// The kernel notices that a device is up a moment after it was told.
const PATIENCE: Duration = Duration::from_secs(30);

/// Packets that are sent at a time.
pub(super) const FEW: usize = 50;
/// Their network.
pub(super) const VNI: u32 = 100;

/// Two namespaces with a cable `d0` between them.
pub(super) struct Pair {
    /// Where tunmon runs.
    pub(super) near: Namespace,
    /// Where packets come from.
    pub(super) far: Namespace,
}

impl Pair {
    /// Makes them, or says why not.
    pub(super) fn create() -> Option<Self> {
        if let Some(reason) = tunmon::missing(&[needs::NETWORK]) {
            needs::skip(&reason);
            return None;
        }
        let [near, far] = netns::cable("d0").unwrap();
        Some(Self { near, far })
    }

    /// Makes a cable of this name on both sides.
    pub(super) fn join(&self, device: &str) {
        netns::veth(End::bare(&self.near, device), End::bare(&self.far, device), 1500).unwrap();
    }

    /// Makes `d0` anew, step by step as tunmon follows, for this time.
    pub(super) fn make_anew(&self, tunmon: &mut Tunmon, time: usize) {
        self.near.ip(&["link del d0"]).unwrap();
        wait_for(tunmon, "d0", "lost", time);
        self.join("d0");
        wait_for(tunmon, "d0", "attached", time);
    }

    /// Runs tunmon on the near side with these arguments, to its end.
    pub(super) fn run(&self, arguments: &str) -> Output {
        tunmon::run(&self.near, arguments).unwrap()
    }

    /// Sends tunnel packets to the watched end of a cable.
    pub(super) fn send(&self, device: &str) {
        let is_up = || Ok(self.far.run(&format!("ip link show {device}"))?.contains("state UP").then_some(()));
        wait::until(&format!("{device} to be up"), PATIENCE, is_up).unwrap();
        let frame = base_packets().into_iter().find(|(name, _)| *name == "data_plain").unwrap().1;
        raw::send(&self.far, device, &vec![frame; FEW], How::Whole).unwrap();
    }
}

/// Waits until tunmon has said so many times that a device is in this state.
pub(super) fn wait_for(tunmon: &mut Tunmon, device: &str, state: &str, times: usize) -> Value {
    let is_it = |record: &Value| {
        record["schema"] == "tunmon.device/v1" && record["device"] == device && record["state"] == state
    };
    tunmon.wait_for_nth(&format!("that {device} is {state}"), times, is_it).unwrap().clone()
}

/// All tunnel packets of a summary.
pub(super) fn geneve(summary: &Summary) -> u64 {
    summary.accounting.classes["geneve"]
}
