//! Skips, and the measurement that the tests share: tunmon and tcpdump on one device, counters of the one behind it.

use std::fmt::Display;
use std::time::Duration;

use serde_json::Value;
use tests::netns::{self, Namespace, Traffic};
use tests::oracle::{Tally, Way};
use tests::tcpdump::{Capture, Direction, Pcap};
use tests::tunmon::{self, Summary, Tunmon};
use tests::{needs, wait};

const QUIET: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(60);

/// What tunmon said and what passed, from before tunmon came until after it went.
pub(super) struct Measured {
    pub(super) start: Value,
    pub(super) summary: Summary,
    pub(super) pcap: Pcap,
    /// What the other node's device counted of it.
    pub(super) far: Traffic,
}

/// True after having said the reason, if there is one.
pub(super) fn skip_for(reason: Option<String>) -> bool {
    let reason = reason.or_else(tunmon::not_built);
    if let Some(reason) = &reason {
        needs::skip(reason);
    }
    reason.is_some()
}

/// Runs `traffic` while tunmon and tcpdump watch `device` of `near`; proves that tunmon's accounts balance.
pub(super) fn measure([near, far]: [&Namespace; 2], device: &str, arguments: &str, traffic: impl FnOnce()) -> Measured {
    let capture = Capture::start(near, device, Direction::Both, "udp port 6081").unwrap();
    let tunmon = Tunmon::start(near, device, arguments).unwrap();
    let before = netns::traffic(far, device).unwrap();
    traffic();
    let after = wait::until_stable("silence", QUIET, PATIENCE, || netns::traffic(far, device)).unwrap();
    let report = tunmon.stop().unwrap();
    let pcap = capture.stop().unwrap();
    let summary = report.summary().unwrap();
    summary.check_identities().unwrap();
    let far = after.since(before);
    let start = report.of("tunmon.start/v1").next().unwrap().clone();
    Measured { start, summary, pcap, far }
}

impl Measured {
    /// The hooks that tunmon has taken: of received and of transmitted packets.
    pub(super) fn hooks(&self) -> [&str; 2] {
        ["ingress", "egress"].map(|field| self.start["devices"][0][field].as_str().unwrap())
    }

    /// What tunmon counted of a VNI.
    pub(super) fn counted(&self, vni: u32, way: Way) -> Tally {
        self.summary.counts().get(&(vni, way)).copied().unwrap_or_default()
    }

    /// Proves that tunmon's counts of these VNIs are tcpdump's, and that there are no others.
    pub(super) fn assert_as_tcpdump(&self, own: impl Display + Copy, vnis: &[u32]) {
        for vni in vnis {
            self.assert_way_as_tcpdump(own, *vni, Way::Receive);
            self.assert_way_as_tcpdump(own, *vni, Way::Transmit);
        }
        assert_eq!(self.summary.counts().len(), 2 * vnis.len(), "{:?}", self.summary.vnis);
    }

    /// Proves it of one VNI and direction, to the packet and the byte.
    pub(super) fn assert_way_as_tcpdump(&self, own: impl Display, vni: u32, way: Way) {
        let end = if way == Way::Transmit { "src" } else { "dst" };
        // The VNI is three bytes, four bytes into the Geneve header.
        let filter = format!("udp dst port 6081 and {end} host {own} and udp[12:4] >> 8 = {vni}");
        let truth = self.pcap.count(&filter).unwrap();
        assert_eq!(self.counted(vni, way), truth, "VNI {vni}, {way:?}");
        assert!(truth.packets > 0, "VNI {vni} was not used");
    }
}
