//! What exporters and screens see: plain data, in the names and units of the JSON contract.
//!
//! Times are in seconds, sizes in bytes; what is not known is absent.

use std::collections::BTreeMap;
use std::net::IpAddr;

use monitor_common::count;
use serde::Serialize;

/// One device over some time.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// The time that this covers.
    pub interval_seconds: f64,
    /// Name of the device.
    pub device: String,
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

/// One virtual network.
#[derive(Clone, Debug, Serialize)]
pub struct Vni {
    /// Its identifier.
    pub vni: u32,
    /// Its packets.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// Longest inner IP packet since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner_length_max_bytes: Option<u32>,
    /// Its fragments.
    pub fragments: Fragments,
    /// Its round-trip times.
    pub rtt: Vec<Rtt>,
}

/// One tunnel endpoint on the other side.
#[derive(Clone, Debug, Serialize)]
pub struct Peer {
    /// Its address.
    pub peer: IpAddr,
    /// Its packets.
    #[serde(flatten)]
    pub traffic: Traffic,
    /// Least overhead since the start: from the outer IP header to the inner one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overhead_min_bytes: Option<u16>,
    /// Most overhead since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overhead_max_bytes: Option<u16>,
    /// Longest outer IP packet since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outer_length_max_bytes: Option<u32>,
    /// The device's MTU less the overhead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recommended_inner_mtu_bytes: Option<u32>,
    /// Its fragments.
    pub fragments: Fragments,
    /// Its round-trip times.
    pub rtt: Vec<Rtt>,
}

/// Round-trip times of one leg by one method. The count is complete; the rest comes from samples.
#[derive(Clone, Debug, Serialize)]
pub struct Rtt {
    /// `remote` or `local`.
    pub leg: &'static str,
    /// `timestamp`, `handshake` or `echo`.
    pub method: &'static str,
    /// Number of matches.
    pub count: u64,
    /// Their mean.
    pub mean_seconds: f64,
    /// The samples' distribution, if there are samples.
    #[serde(flatten)]
    pub distribution: Option<Distribution>,
}

/// A distribution, to three digits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Distribution {
    /// Number of samples.
    pub samples: u64,
    /// Least.
    pub min_seconds: f64,
    /// Median.
    pub p50_seconds: f64,
    /// 90th percentile.
    pub p90_seconds: f64,
    /// 99th percentile.
    pub p99_seconds: f64,
    /// 99.9th percentile.
    pub p999_seconds: f64,
    /// Most.
    pub max_seconds: f64,
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
    /// Flows that were remembered for round-trip times.
    pub flows: Flows,
    /// Events, by what became of them.
    pub events: Events,
}

/// Later outer fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LaterFragments {
    /// Their first one was remembered.
    pub attributed: u64,
    /// Their first one was not seen.
    pub orphan: u64,
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
