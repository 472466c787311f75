//! Each peer's part of each virtual network: the tunnels between the same ends by whatever addresses of this node.

use std::collections::BTreeMap;
use std::net::IpAddr;

use monitor_common::count::Counters;

use super::Limits;
use super::admission::Rows;
use super::sums::{busiest, untracked};
use crate::counts::{Counts, Tracked};
use crate::snapshot::{Share, Sizes, Traffic, TunnelTraffic};

/// The most tunnels that are exported one by one; the rest of them is told together.
const MOST: usize = 1024;

/// Tunnels that are told apart when they are exported.
pub(super) struct Shares(Rows<(u32, IpAddr, IpAddr)>);

impl Shares {
    pub(super) fn new(limits: Limits) -> Self {
        Self(Rows::new(MOST, limits.idle_ns))
    }

    /// The packets of the tunnels that are active, and those of all that have no place.
    pub(super) fn exposed(&mut self, counts: &Counts, now_ns: u64) -> (Vec<TunnelTraffic>, Traffic) {
        let key = |tracked: &Tracked| {
            let tunnel = &tracked.tunnel;
            (tunnel.vni(), tunnel.local().ip(), tunnel.peer().ip())
        };
        self.0.update(&busiest(counts), untracked(counts), now_ns, key);
        let row = |((vni, local, peer), counters): ((u32, IpAddr, IpAddr), &Counters)| TunnelTraffic {
            vni,
            local,
            peer,
            traffic: super::rows::traffic(counters),
        };
        (self.0.active(now_ns).map(row).collect(), self.0.others())
    }
}

/// The parts, ascending by peer and network.
pub(super) fn shares(counts: &Counts) -> Vec<Share> {
    let mut sums: BTreeMap<(IpAddr, u32), Counters> = BTreeMap::new();
    for tracked in &counts.tunnels {
        let key = (tracked.tunnel.peer().ip(), tracked.tunnel.vni());
        sums.entry(key).or_default().merge(&tracked.counters);
    }
    let share = |((peer, vni), counters): ((IpAddr, u32), Counters)| Share {
        peer,
        vni,
        traffic: super::rows::traffic(&counters),
        sizes: Sizes::new(&counters, Some(peer.is_ipv4())),
    };
    sums.into_iter().map(share).collect()
}
