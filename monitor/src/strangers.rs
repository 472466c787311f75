//! For how long somebody has sent whom the inventory does not know. No clock: the time is an argument.
//!
//! A new node may send before its entry has come, and a source that has just come back may be behind, so that both have a
//! while. Anybody can send any number of VNIs from any number of addresses: what is remembered is bounded, and of each kind
//! the first few of a run are told one by one, all others together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;

use crate::inventory::{Inventory, Source};
use crate::snapshot::{Judge, Snapshot, Stranger, Strangers};

/// How long somebody may be unknown.
pub(crate) const GRACE: Duration = Duration::from_secs(30);
/// Who has not sent for so long is a new one when it sends again.
const FORGET: Duration = Duration::from_secs(600);
/// Strangers that are remembered of each kind.
const MOST: usize = 4096;
/// Strangers of each kind that are told one by one. A place is kept until the inventory knows who has it: one that was left
/// to the next would let a forger fill the findings.
const PLACES: usize = 16;

/// The strangers of a device.
#[derive(Default)]
pub(crate) struct Tracker {
    peers: Known<IpAddr>,
    networks: Known<u32>,
}

impl Tracker {
    /// Puts the strangers of an interval into its evidence. `now` is a time since any moment, `at` the same by the calendar.
    pub(crate) fn judge(&mut self, snapshot: &mut Snapshot, grace: Duration, now: Duration, at: Timestamp) {
        let names = snapshot.names.clone();
        let names: &Inventory = &names;
        let peers = snapshot.peers.iter().map(|row| (row.peer, row.traffic.rx_packets));
        let judge = names.judge_of_nodes().map(|source| judge(source, at));
        let is_unknown = |peer: &IpAddr| names.node(*peer).is_none();
        snapshot.evidence.unknown_peers = self.peers.judge(peers, judge, is_unknown, grace, now);
        // VNI 0 is what BFD between chassis has, and no network's (OVN numbers them from 1).
        let vnis = snapshot.vnis.iter().map(|row| (row.vni, row.traffic.rx_packets)).filter(|(vni, _)| *vni != 0);
        let judge = names.judge_of_networks().map(|source| self::judge(source, at));
        let is_unknown = |vni: &u32| names.network(*vni).is_none();
        snapshot.evidence.unknown_networks = self.networks.judge(vnis, judge, is_unknown, grace, now);
    }
}

fn judge(source: &Source, at: Timestamp) -> Judge {
    let age = source.synced.and_then(|synced| u64::try_from(at.duration_since(synced).as_secs()).ok());
    Judge { source: source.kind, from: source.from.clone(), entries: source.entries, age_seconds: age }
}

struct Known<T> {
    /// Since when somebody knows all.
    judged: Option<Duration>,
    /// When each stranger has sent first and last.
    seen: BTreeMap<T, [Duration; 2]>,
    places: BTreeSet<T>,
}

impl<T: Ord + Copy> Known<T> {
    fn judge(
        &mut self,
        rows: impl Iterator<Item = (T, u64)>,
        judge: Option<Judge>,
        is_unknown: impl Fn(&T) -> bool,
        grace: Duration,
        now: Duration,
    ) -> Strangers<T> {
        if judge.is_none() {
            self.judged = None;
            return Strangers::default();
        }
        let judged = *self.judged.get_or_insert(now);
        self.seen.retain(|id, [_, last]| is_unknown(id) && now < *last + FORGET);
        self.places.retain(|id| is_unknown(id));
        let mut strangers = Strangers { judge, ..Strangers::default() };
        for (id, rx_packets) in rows.filter(|(id, rx_packets)| *rx_packets != 0 && is_unknown(id)) {
            if self.seen.len() >= MOST && !self.seen.contains_key(&id) {
                continue;
            }
            let [first, last] = self.seen.entry(id).or_insert([now; 2]);
            *last = now;
            if now < (*first).max(judged) + grace {
                continue;
            }
            let stranger = Stranger { id, seconds: (now - *first).as_secs_f64(), rx_packets };
            let has_place = self.places.contains(&id) || self.places.len() < PLACES && self.places.insert(id);
            if has_place { &mut strangers.single } else { &mut strangers.others }.push(stranger);
        }
        strangers
    }
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { judged: None, seen: BTreeMap::new(), places: BTreeSet::new() }
    }
}

#[cfg(test)]
mod tests;
