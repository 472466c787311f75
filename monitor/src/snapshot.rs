//! What exporters and screens see: plain data, in the names and units of the JSON contract.
//!
//! Times are in seconds, sizes in bytes; what is not known is absent.

mod accounting;
mod datagrams;
mod evidence;
mod exposed;
mod flow;
mod host;
mod overhead;
mod path;
mod rtt;
mod sizes;
mod strangers;

use std::net::IpAddr;
use std::sync::Arc;

use monitor_common::count;
use serde::Serialize;

use crate::inventory::{self, Inventory, Name};

pub use accounting::{Accounting, Events, Flows, Histograms, LaterFragments};
pub use datagrams::{Datagrams, Pieces};
pub use evidence::{Drops, Evidence, Handshakes, Hole, IcmpErrors, Place, TooBig, Tunnel, Way};
pub use exposed::{Exemplar, Exposed, TunnelTraffic};
pub use flow::Flow;
pub use host::Host;
pub use overhead::{Bpf, Daemon, HookCost, Overhead};
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
