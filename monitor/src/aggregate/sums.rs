//! The counts of all tunnels, summed per VNI and per peer.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;

use monitor_common::count::{Counters, Totals};

use super::Limits;
use crate::counts::{Counts, Tracked};
use crate::snapshot::Traffic;

/// Sums of one device.
#[derive(Clone)]
pub(super) struct Sums {
    limits: Limits,
    pub(super) vnis: BTreeMap<u32, Counters>,
    pub(super) peers: BTreeMap<IpAddr, Counters>,
    pub(super) other: Traffic,
    pub(super) other_peers: Traffic,
    pub(super) totals: Totals,
}

impl Sums {
    pub(super) fn new(limits: Limits) -> Self {
        let (vnis, peers) = (BTreeMap::new(), BTreeMap::new());
        let (other, other_peers, totals) = (Traffic::default(), Traffic::default(), Totals::default());
        Self { limits, vnis, peers, other, other_peers, totals }
    }

    /// Takes the place of the old sums; a VNI or peer that was told apart stays so.
    pub(super) fn update(&mut self, counts: &Counts) {
        self.vnis.values_mut().for_each(|counters| *counters = Counters::default());
        self.peers.values_mut().for_each(|counters| *counters = Counters::default());
        self.totals = counts.totals;
        let [[rx_packets, rx_bytes], [tx_packets, tx_bytes]] = counts.totals.untracked;
        self.other = Traffic { rx_packets, rx_bytes, tx_packets, tx_bytes };
        self.other_peers = self.other;
        // Those with most packets first: when there are too many, they are told apart.
        let mut tunnels: Vec<&Tracked> = counts.tunnels.iter().collect();
        tunnels.sort_by_key(|tracked| Reverse(tracked.counters.traffic.iter().map(|one| one.packets).sum::<u64>()));
        for tracked in tunnels {
            let (vni, peer) = (tracked.tunnel.vni(), tracked.tunnel.peer().ip());
            if !merge(&mut self.vnis, vni, self.limits.max_vnis, &tracked.counters) {
                self.other.add(&tracked.counters.traffic);
            }
            if !merge(&mut self.peers, peer, self.limits.max_peers, &tracked.counters) {
                self.other_peers.add(&tracked.counters.traffic);
            }
        }
    }

    /// What was added since `before`; maxima and minima stay those of the whole run.
    pub(super) fn since(&self, before: &Self) -> Self {
        let mut difference = self.clone();
        for (vni, counters) in &mut difference.vnis {
            subtract(counters, before.vnis.get(vni));
        }
        for (peer, counters) in &mut difference.peers {
            subtract(counters, before.peers.get(peer));
        }
        difference.other.subtract(before.other);
        difference.other_peers.subtract(before.other_peers);
        difference.totals.subtract(&before.totals);
        difference
    }
}

/// Adds to the sum of `key`; says whether there is one, or room for one.
fn merge<K: Ord>(sums: &mut BTreeMap<K, Counters>, key: K, most: usize, counters: &Counters) -> bool {
    let has_room = sums.len() < most;
    match sums.entry(key) {
        Entry::Occupied(mut sum) => sum.get_mut().merge(counters),
        Entry::Vacant(place) if has_room => {
            place.insert(*counters);
        }
        Entry::Vacant(_) => return false,
    }
    true
}

fn subtract(counters: &mut Counters, before: Option<&Counters>) {
    if let Some(before) = before {
        counters.subtract(before);
    }
}
