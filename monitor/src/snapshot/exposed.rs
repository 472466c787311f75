//! What is exported of a device besides its snapshot: cumulative counts only.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Drops, Flow, IcmpErrors, Snapshot, Traffic};

/// A device as it is exported: its counters never decrease, and only rows that are active are in it.
#[derive(Clone, Debug)]
pub struct Exposed {
    /// Counters since the start, with histograms and without quantiles.
    pub snapshot: Snapshot,
    /// Packets of each tunnel.
    pub shares: Vec<TunnelTraffic>,
    /// Packets of all other tunnels.
    pub other_shares: Traffic,
    /// VNIs that have ever been without a row.
    pub refused_vnis: usize,
    /// Peers that have ever been without a row.
    pub refused_peers: usize,
    /// ICMP errors about tunnel packets, as far as they were reported.
    pub icmp_errors: Vec<IcmpErrors>,
    /// Errors inside tunnels that say that a packet is too big, by peer.
    pub inner_too_big: BTreeMap<IpAddr, u64>,
    /// Received datagrams whose pieces have not all come, by peer, as far as events of fragments were reported.
    pub incomplete_datagrams: BTreeMap<IpAddr, u64>,
    /// Tunnel packets that this host's kernel has dropped, as far as they were reported.
    pub drops: Vec<Drops>,
}

/// Packets of one tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelTraffic {
    /// Virtual network identifier.
    pub vni: u32,
    /// This end.
    pub local: IpAddr,
    /// The other end.
    pub peer: IpAddr,
    /// Its packets.
    pub traffic: Traffic,
}

/// A sample that stands for others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    /// When, in the time of events.
    pub at_ns: u64,
    /// The round-trip time.
    pub seconds: f64,
    /// The other end of its tunnel.
    pub peer: IpAddr,
    /// Its flow.
    pub flow: Flow,
}
