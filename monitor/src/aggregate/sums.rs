//! The counts of all tunnels, summed per VNI and per peer.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;

use monitor_common::count::{Counters, Totals};

use super::Limits;
use crate::counts::Counts;
use crate::snapshot::Traffic;

/// Sums of one device.
#[derive(Clone)]
pub(super) struct Sums {
    limits: Limits,
    pub(super) vnis: BTreeMap<u32, Counters>,
    pub(super) peers: BTreeMap<IpAddr, Counters>,
    pub(super) other: Traffic,
    pub(super) totals: Totals,
}

impl Sums {
    pub(super) fn new(limits: Limits) -> Self {
        let (vnis, peers) = (BTreeMap::new(), BTreeMap::new());
        Self { limits, vnis, peers, other: Traffic::default(), totals: Totals::default() }
    }

    /// Takes the place of the old sums; a VNI or peer that was told apart stays so.
    pub(super) fn update(&mut self, counts: &Counts) {
        self.vnis.values_mut().for_each(|counters| *counters = Counters::default());
        self.peers.values_mut().for_each(|counters| *counters = Counters::default());
        self.totals = counts.totals;
        let [[rx_packets, rx_bytes], [tx_packets, tx_bytes]] = counts.totals.untracked;
        self.other = Traffic { rx_packets, rx_bytes, tx_packets, tx_bytes };
        for tracked in &counts.tunnels {
            let (vni, peer) = (tracked.tunnel.vni(), tracked.tunnel.peer.ip());
            if !merge(&mut self.vnis, vni, self.limits.max_vnis, &tracked.counters) {
                let [rx, tx] = &tracked.counters.traffic;
                self.other.rx_packets += rx.packets;
                self.other.rx_bytes += rx.bytes;
                self.other.tx_packets += tx.packets;
                self.other.tx_bytes += tx.bytes;
            }
            merge(&mut self.peers, peer, self.limits.max_peers, &tracked.counters);
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
        let other = &mut difference.other;
        other.rx_packets -= before.other.rx_packets;
        other.rx_bytes -= before.other.rx_bytes;
        other.tx_packets -= before.other.tx_packets;
        other.tx_bytes -= before.other.tx_bytes;
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
