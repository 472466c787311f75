//! Each peer's part of each virtual network: the tunnels between the same ends by whatever addresses of this node.

use std::collections::BTreeMap;
use std::net::IpAddr;

use monitor_common::count::Counters;

use crate::counts::Counts;
use crate::snapshot::{Share, Sizes};

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
