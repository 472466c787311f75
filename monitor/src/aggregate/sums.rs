//! The counts of all tunnels, summed per VNI and per peer.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use monitor_common::count::{Counters, Totals};
use monitor_common::tunnel::Tunnel;

use super::Limits;
use crate::counts::{Counts, Tracked};
use crate::snapshot::Traffic;

/// Sums of one device.
#[derive(Clone)]
pub(super) struct Sums {
    limits: Limits,
    /// With the first tunnel of each.
    pub(super) vnis: BTreeMap<u32, Counters>,
    /// VNIs with tunnels over IPv4 and over IPv6.
    mixed: BTreeSet<u32>,
    /// With the first tunnel to each.
    pub(super) peers: BTreeMap<IpAddr, Counters>,
    pub(super) other: Traffic,
    pub(super) other_peers: Traffic,
    pub(super) totals: Totals,
}

impl Sums {
    pub(super) fn new(limits: Limits) -> Self {
        let (vnis, mixed, peers) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let (other, other_peers, totals) = (Traffic::default(), Traffic::default(), Totals::default());
        Self { limits, vnis, mixed, peers, other, other_peers, totals }
    }

    /// Takes the place of the old sums; a VNI or peer that was told apart stays so.
    pub(super) fn update(&mut self, counts: &Counts) {
        let all = self.vnis.values_mut().chain(self.peers.values_mut());
        for sum in all {
            let first = std::mem::take(sum).tunnel;
            sum.tunnel = first;
        }
        self.totals = counts.totals;
        let [[rx_packets, rx_bytes], [tx_packets, tx_bytes]] = counts.totals.untracked;
        self.other = Traffic { rx_packets, rx_bytes, tx_packets, tx_bytes };
        self.other_peers = self.other;
        // Those with most packets first: when there are too many, they are told apart.
        let mut tunnels: Vec<&Tracked> = counts.tunnels.iter().collect();
        tunnels.sort_by_key(|tracked| Reverse(tracked.counters.traffic.iter().map(|one| one.packets).sum::<u64>()));
        for tracked in tunnels {
            let (vni, peer) = (tracked.tunnel.vni(), tracked.tunnel.peer().ip());
            match merge(&mut self.vnis, vni, self.limits.max_vnis, tracked) {
                Some(first) if first.peer().ip().is_ipv4() != peer.is_ipv4() => drop(self.mixed.insert(vni)),
                Some(_) => {}
                None => self.other.add(&tracked.counters.traffic),
            }
            if merge(&mut self.peers, peer, self.limits.max_peers, tracked).is_none() {
                self.other_peers.add(&tracked.counters.traffic);
            }
        }
    }

    /// Whether the underlay of a VNI is IPv4, if it is the same for all of its tunnels.
    pub(super) fn is_over_ipv4(&self, vni: u32) -> Option<bool> {
        let first = self.vnis.get(&vni).filter(|_| !self.mixed.contains(&vni))?;
        Some(first.tunnel.peer().ip().is_ipv4())
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

/// Adds to the sum of `key`; returns the sum's first tunnel if there is one, or room for one.
fn merge<K: Ord>(sums: &mut BTreeMap<K, Counters>, key: K, most: usize, tracked: &Tracked) -> Option<Tunnel> {
    let has_room = sums.len() < most;
    match sums.entry(key) {
        Entry::Occupied(mut sum) => {
            sum.get_mut().merge(&tracked.counters);
            Some(sum.get().tunnel)
        }
        Entry::Vacant(place) if has_room => {
            place.insert(tracked.counters).tunnel = tracked.tunnel;
            Some(tracked.tunnel)
        }
        Entry::Vacant(_) => None,
    }
}

fn subtract(counters: &mut Counters, before: Option<&Counters>) {
    if let Some(before) = before {
        counters.subtract(before);
    }
}
