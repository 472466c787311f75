//! A tunmon that serves, and clients of it.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;
use tests::frame::parts::{Geneve, Ipv4, ethernet, icmp, udp};
use tests::lab::DEVICE;
use tests::needs;
use tests::netns::{self, Namespace};
use tests::process;
use tests::raw::Sender;
use tests::tunmon::{self, Tunmon};

/// Where it serves, in its own namespace.
pub(super) const ADDRESS: &str = "127.0.0.1:16081";

/// A device with a tunmon that serves.
pub(super) struct Served {
    pub(super) tunmon: Tunmon,
    pub(super) near: Namespace,
    far: Namespace,
}

/// Whether it can be run here; says why not.
pub(super) fn is_possible() -> bool {
    let missing = tunmon::missing(&[needs::NETWORK, &["curl", "openssl", "promtool"]]);
    if let Some(reason) = &missing {
        needs::skip(reason);
    }
    missing.is_none()
}

/// A namespace with a device and a loopback.
pub(super) fn node() -> [Namespace; 2] {
    let pair = netns::cable(DEVICE).unwrap();
    pair[0].ip(&["link set lo up"]).unwrap();
    pair
}

impl Served {
    /// With more arguments.
    pub(super) fn start(arguments: &str) -> Option<Self> {
        if !is_possible() {
            return None;
        }
        let [near, far] = node();
        let arguments = format!("--listen {ADDRESS} --interval 200ms {arguments}");
        let tunmon = Tunmon::start(&near, DEVICE, &arguments).unwrap();
        Some(Self { tunmon, near, far })
    }

    /// What curl gets from `path`, with these words before it.
    pub(super) fn curl(&self, words: &[&str], path: &str) -> String {
        let url = format!("http://{ADDRESS}{path}");
        process::run(self.near.command("curl").args(["-sS", "--max-time", "10"]).args(words).arg(url)).unwrap()
    }

    /// A page of JSON.
    pub(super) fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.curl(&["-f"], path)).unwrap()
    }

    /// The text form of metrics.
    pub(super) fn metrics(&self) -> String {
        self.curl(&["-f"], "/metrics")
    }

    /// The value of a series, as it is written.
    pub(super) fn series(&self, name: &str) -> Option<f64> {
        let text = self.metrics();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(|value| value.parse().unwrap())
    }

    /// Sends this node so many tunnel packets, each an echo request and its answer the other way.
    pub(super) fn echoes(&self, vni: u32, count: u16) {
        let [there, back] = [&self.near, &self.far].map(|namespace| Sender::open(namespace, DEVICE).unwrap());
        for sequence in 0..count {
            there.send(&frame(vni, 8, sequence, [1, 2])).unwrap();
            back.send(&frame(vni, 0, sequence, [2, 1])).unwrap();
        }
    }
}

/// An echo packet inside a tunnel, from the node and pod with the first number to those with the second.
fn frame(vni: u32, kind: u8, sequence: u16, [from, to]: [u8; 2]) -> Vec<u8> {
    let pod = |number| Ipv4Addr::new(10, 0, 0, number);
    let node = |number| Ipv4Addr::new(192, 0, 2, number);
    let echo = icmp(kind, 0, 7 << 16 | u32::from(sequence), b"0123456789abcdef");
    let inner = ethernet(&[], 0x0800, &Ipv4::new(pod(from), pod(to), 1).over(&echo));
    let tunnel = udp(50_000, 6081, &Geneve::new(vni).over(&inner));
    ethernet(&[], 0x0800, &Ipv4::new(node(from), node(to), 17).over(&tunnel))
}

/// The peer of these packets.
pub(super) fn peer() -> IpAddr {
    Ipv4Addr::new(192, 0, 2, 2).into()
}
