//! What exporters and screens see: plain data, in the names and units of the JSON contract.
//!
//! Times are in seconds, sizes in bytes; what is not known is absent.

mod datagrams;
mod evidence;
mod exposed;
mod flow;
mod host;
mod path;
mod rtt;
mod sizes;
mod strangers;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use monitor_common::count;
use serde::Serialize;

use crate::counts::Issued;
use crate::inventory::{self, Inventory, Name};

pub use datagrams::{Datagrams, Pieces};
pub use evidence::{Drops, Evidence, Handshakes, Hole, IcmpErrors, Place, TooBig, Tunnel, Way};
pub use exposed::{Exemplar, Exposed, TunnelTraffic};
pub use flow::Flow;
pub use host::Host;
pub use path::{Path, PathRoute};
pub use rtt::{Buckets, Distribution, Rtt};
pub use sizes::{DfClear, Parts, Share, Sizes};
pub use strangers::{Judge, Stranger, Strangers};

/// One device over some time.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// The time that this covers.
    pub interval_seconds: f64,
    /// Name of the device.
    pub device: String,
    /// Its MTU; of a capture there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu_bytes: Option<u32>,
    /// The part of the time in which no program was attached to it; of a capture there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blind_seconds: Option<f64>,
    /// Each VNI that is told apart.
    pub vnis: Vec<Vni>,
    /// Each peer that is told apart.
    pub peers: Vec<Peer>,
    /// The tunnel packets of all other VNIs.
    pub other: Traffic,
    /// The tunnel packets of all other peers.
    pub other_peers: Traffic,
    /// Everything that was seen, by what became of it.
    pub accounting: Accounting,
    /// What watching cost; of a capture there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overhead: Option<Overhead>,
    /// Each peer's part of each VNI, ascending; in a summary of a device only.
    #[serde(skip)]
    pub shares: Vec<Share>,
    /// What rules judge besides.
    #[serde(skip)]
    pub evidence: Evidence,
    /// What is known of names.
    #[serde(skip)]
    pub names: Arc<Inventory>,
}

impl Snapshot {
    /// It with the names of its nodes and networks.
    #[must_use]
    pub fn named(mut self, names: &Arc<Inventory>) -> Self {
        for row in &mut self.vnis {
            row.network = names.network(row.vni).map(|(network, _)| network.name.clone());
        }
        for row in &mut self.peers {
            row.node = names.node_name(row.peer).cloned();
            row.tunnel = names.tunnel(row.peer).cloned();
        }
        self.names = names.clone();
        self
    }

    /// ICMP errors that quote what went through a tunnel that is known: anybody can send an error about anything.
    pub(crate) fn genuine_errors(&self) -> impl Iterator<Item = &IcmpErrors> {
        let is_known = |error: &&IcmpErrors| self.evidence.to(error.peer).any(|tunnel| tunnel.local == error.local);
        self.evidence.icmp_errors.iter().filter(is_known)
    }

    /// The smallest MTU that is known of the way to a peer that is told apart.
    pub fn path_mtu(&self, peer: IpAddr) -> Option<u32> {
        self.peer(peer)?.path.path_mtu_bytes
    }

    /// A peer that is told apart.
    pub fn peer(&self, peer: IpAddr) -> Option<&Peer> {
        let place = self.peers.binary_search_by_key(&peer, |row| row.peer).ok()?;
        self.peers.get(place)
    }
}

/// What watching cost, on all watched devices together: the programs and the reader are there once for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Overhead {
    /// tunmon's own work.
    pub daemon: Daemon,
    /// The programs in the kernel, if the kernel measured them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bpf: Option<Bpf>,
}

/// What the work in user space cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Daemon {
    /// Its share of a core; 1 is a whole one.
    pub core_share: f64,
}

/// What the programs cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bpf {
    /// The part of the time in which they were measured.
    pub measured_seconds: f64,
    /// At the hooks of received packets.
    pub ingress: HookCost,
    /// At the hooks of transmitted packets.
    pub egress: HookCost,
}

/// What the programs of one direction cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HookCost {
    /// Packets as the hook had them: a super-frame is one.
    pub runs: u64,
    /// The time that they took.
    pub run_seconds: f64,
    /// The time that one took, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_per_run: Option<f64>,
    /// The share of a core while they were measured; 1 is a whole one.
    pub core_share: f64,
}

/// Wire packets and their layer-2 bytes, seen from the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets transmitted.
    pub tx_packets: u64,
    /// Bytes transmitted.
    pub tx_bytes: u64,
}

impl Traffic {
    /// Adds what was counted per direction.
    pub(crate) fn add(&mut self, [rx, tx]: &[count::Traffic; 2]) {
        self.rx_packets += rx.packets;
        self.rx_bytes += rx.bytes;
        self.tx_packets += tx.packets;
        self.tx_bytes += tx.bytes;
    }

    /// Adds what else was counted.
    pub(crate) fn plus(&mut self, more: Self) {
        self.rx_packets += more.rx_packets;
        self.rx_bytes += more.rx_bytes;
        self.tx_packets += more.tx_packets;
        self.tx_bytes += more.tx_bytes;
    }

    /// Takes away what was counted before.
    pub(crate) fn subtract(&mut self, before: Self) {
        self.rx_packets -= before.rx_packets;
        self.rx_bytes -= before.rx_bytes;
        self.tx_packets -= before.tx_packets;
        self.tx_bytes -= before.tx_bytes;
    }
}

/// Packets that were fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fragments {
    /// Underlay fragments.
    pub outer: u64,
    /// Fragments inside the tunnel.
    pub inner: u64,
}

/// Packets of one direction that were fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentWay {
    /// Underlay fragments.
    pub outer_fragments: u64,
    /// Fragments inside the tunnel.
    pub inner_fragments: u64,
}

/// One virtual network.
#[derive(Clone, Debug, Serialize)]
pub struct Vni {
    /// Its identifier.
    pub vni: u32,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Name>,
    /// Its packets.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// Those that routers may cut.
    #[serde(flatten)]
    pub df_clear: DfClear,
    /// Their sizes.
    #[serde(flatten)]
    pub sizes: Sizes,
    /// Its fragments.
    pub fragments: Fragments,
    /// The same, received and transmitted.
    #[serde(skip)]
    pub ways: [FragmentWay; 2],
    /// Its round-trip times.
    pub rtt: Vec<Rtt>,
}

/// One tunnel endpoint on the other side.
#[derive(Clone, Debug, Serialize)]
pub struct Peer {
    /// Its address.
    pub peer: IpAddr,
    /// Its node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Name>,
    /// The tunnel to it, as this node's switch has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<inventory::Tunnel>,
    /// Its packets.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// Those that routers may cut.
    #[serde(flatten)]
    pub df_clear: DfClear,
    /// Their sizes.
    #[serde(flatten)]
    pub sizes: Sizes,
    /// The way to it.
    #[serde(flatten)]
    pub path: Path,
    /// Its fragments.
    pub fragments: Fragments,
    /// Its round-trip times.
    pub rtt: Vec<Rtt>,
}

/// Everything that was seen, by what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Accounting {
    /// Wire packets seen: the sum of all classes.
    pub seen: u64,
    /// Wire packets per class.
    pub classes: BTreeMap<&'static str, u64>,
    /// Malformed packets by reason.
    pub malformed: BTreeMap<&'static str, u64>,
    /// Later outer fragments: attributed to a VNI, or orphans.
    pub later_fragments: LaterFragments,
    /// Packets of `other` whose tunnel found no free slot in the kernel; the rest is beyond the bound of VNIs.
    pub untracked_packets: u64,
    /// The kernel's histograms; in a summary of a device only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histograms: Option<Histograms>,
    /// Flows that were remembered for round-trip times.
    pub flows: Flows,
    /// Events, by what became of them.
    pub events: Events,
    /// The same of each kind of events.
    pub events_by_kind: BTreeMap<&'static str, Events>,
}

/// Later outer fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LaterFragments {
    /// Their first one was remembered.
    pub attributed: u64,
    /// Their first one was not seen.
    pub orphan: u64,
}

/// The kernel's histograms of round-trip times, one for each tunnel, leg, method and processor that had one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Histograms {
    /// The most that a processor has.
    pub max: u32,
    /// Those in use, on the processor that uses most.
    pub used: u32,
    /// Matches that came when none was left; they are in the counts, and in no tunnel's buckets.
    pub shared_samples: u64,
}

impl From<Issued> for Histograms {
    fn from(issued: Issued) -> Self {
        Self { max: issued.most, used: issued.issued, shared_samples: issued.shared_samples }
    }
}

/// The table of flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flows {
    /// Flows that took a free entry.
    pub inserted: u64,
    /// Flows that took the entry of another one.
    pub evicted: u64,
}

/// Events: `wanted = submitted + ring_full + rate_limited`, `consumed = delivered + decode_errors`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Events {
    /// Events that something asked for.
    pub wanted: u64,
    /// Events put into the ring buffer.
    pub submitted: u64,
    /// Events that found it full.
    pub ring_full: u64,
    /// Events that came too soon after others.
    pub rate_limited: u64,
    /// Events taken out of the ring buffer.
    pub consumed: u64,
    /// Events handed on.
    pub delivered: u64,
    /// Records that are none of ours.
    pub decode_errors: u64,
}

impl Events {
    /// The sum of both.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            wanted: self.wanted + other.wanted,
            submitted: self.submitted + other.submitted,
            ring_full: self.ring_full + other.ring_full,
            rate_limited: self.rate_limited + other.rate_limited,
            consumed: self.consumed + other.consumed,
            delivered: self.delivered + other.delivered,
            decode_errors: self.decode_errors + other.decode_errors,
        }
    }
}
