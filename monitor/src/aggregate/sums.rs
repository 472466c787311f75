//! The counts of all tunnels, summed per VNI and per peer.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::IpAddr;

use monitor_common::count::Totals;

use super::Limits;
use super::admission::Rows;
use super::samples::Subject;
use crate::counts::{Counts, Tracked};
use crate::snapshot::Traffic;

/// Sums of one device.
#[derive(Clone)]
pub(super) struct Sums {
    pub(super) vnis: Rows<u32>,
    /// VNIs with tunnels over IPv4 and over IPv6.
    mixed: BTreeSet<u32>,
    pub(super) peers: Rows<IpAddr>,
    pub(super) totals: Totals,
}

impl Sums {
    pub(super) fn new(limits: Limits) -> Self {
        let (vnis, peers) = (Rows::new(limits.max_vnis, limits.idle_ns), Rows::new(limits.max_peers, limits.idle_ns));
        Self { vnis, mixed: BTreeSet::new(), peers, totals: Totals::default() }
    }

    /// Takes the place of the old sums; returns those that are not told apart any more.
    pub(super) fn update(&mut self, counts: &Counts, now_ns: u64) -> Vec<Subject> {
        self.totals = counts.totals;
        let (tunnels, untracked) = (busiest(counts), untracked(counts));
        let vnis = self.vnis.update(&tunnels, untracked, now_ns, |tracked| tracked.tunnel.vni());
        let peers = self.peers.update(&tunnels, untracked, now_ns, |tracked| tracked.tunnel.peer().ip());
        for tunnel in tunnels.iter().map(|tracked| &tracked.tunnel) {
            let first = self.vnis.get(&tunnel.vni()).map(|row| row.tunnel.peer().ip().is_ipv4());
            if first.is_some_and(|is_ipv4| is_ipv4 != tunnel.peer().ip().is_ipv4()) {
                self.mixed.insert(tunnel.vni());
            }
        }
        vnis.into_iter().map(Subject::Vni).chain(peers.into_iter().map(Subject::Peer)).collect()
    }

    /// Whether the underlay of a VNI is IPv4, if it is the same for all of its tunnels.
    pub(super) fn is_over_ipv4(&self, vni: u32) -> Option<bool> {
        let first = self.vnis.get(&vni).filter(|_| !self.mixed.contains(&vni))?;
        Some(first.tunnel.peer().ip().is_ipv4())
    }

    /// What was added since `before`; maxima and minima stay those of the whole run.
    pub(super) fn since(&self, before: &Self) -> Self {
        let (vnis, peers) = (self.vnis.since(&before.vnis), self.peers.since(&before.peers));
        let mut totals = self.totals;
        totals.subtract(&before.totals);
        Self { vnis, mixed: self.mixed.clone(), peers, totals }
    }
}

/// All tunnels, those with most packets first: when there are too many, they are told apart.
pub(super) fn busiest(counts: &Counts) -> Vec<&Tracked> {
    let mut tunnels: Vec<&Tracked> = counts.tunnels.iter().collect();
    tunnels.sort_by_key(|tracked| Reverse(tracked.counters.traffic.iter().map(|one| one.packets).sum::<u64>()));
    tunnels
}

/// Packets that have no tunnel.
pub(super) fn untracked(counts: &Counts) -> Traffic {
    let [[rx_packets, rx_bytes], [tx_packets, tx_bytes]] = counts.totals.untracked;
    Traffic { rx_packets, rx_bytes, tx_packets, tx_bytes }
}
