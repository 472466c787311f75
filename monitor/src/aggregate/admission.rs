//! Which keys have a row of their own, when there are more of them than rows: those that came first, until they are idle.
//!
//! A row is given up only if its key has been idle for a while and another one wants its place; so a crowd of keys makes
//! no row come and go. What a key counts without a row is in `other`, which never decreases as [`Rows::others`] tells it:
//! neither the past of a key that has left is added to it, nor what it counted of a key that is back taken away.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use monitor_common::count::Counters;
use monitor_common::tunnel::Tunnel;

use super::rows::traffic;
use crate::counts::Tracked;
use crate::snapshot::Traffic;

/// Rows by key.
#[derive(Clone)]
pub(super) struct Rows<K> {
    most: usize,
    idle_ns: u64,
    rows: BTreeMap<K, Row>,
    left: BTreeMap<K, Left>,
    /// Keys that have ever been without a row.
    refused: BTreeSet<K>,
    /// What those count now that have none.
    other: Traffic,
    /// What `others` had of keys that are back in a row.
    kept: Traffic,
}

#[derive(Clone)]
struct Row {
    /// With the key's first tunnel.
    counters: Counters,
    /// What was counted before it had the row.
    entered: Counters,
    packets: u64,
    changed_ns: u64,
}

/// A key that had a row.
#[derive(Clone)]
struct Left {
    base: Traffic,
    now: Counters,
}

impl<K: Copy + Ord> Rows<K> {
    pub(super) fn new(most: usize, idle_ns: u64) -> Self {
        let (other, kept) = (Traffic::default(), Traffic::default());
        Self { most, idle_ns, rows: BTreeMap::new(), left: BTreeMap::new(), refused: BTreeSet::new(), other, kept }
    }

    /// Takes all counts so far, of tunnels with most packets first, and of packets without a tunnel; returns the keys that
    /// have given up their rows.
    pub(super) fn update(
        &mut self,
        tunnels: &[&Tracked],
        untracked: Traffic,
        now_ns: u64,
        key: impl Fn(&Tracked) -> K,
    ) -> Vec<K> {
        let gone = self.admit(tunnels, now_ns, &key);
        for row in self.rows.values_mut() {
            row.counters = of(row.counters.tunnel);
        }
        self.left.values_mut().for_each(|left| left.now = Counters::default());
        self.other = untracked;
        for tracked in tunnels {
            let key = key(tracked);
            if let Some(row) = self.rows.get_mut(&key) {
                row.counters.merge(&tracked.counters);
                continue;
            }
            self.other.add(&tracked.counters.traffic);
            if let Some(left) = self.left.get_mut(&key) {
                left.now.merge(&tracked.counters);
            } else {
                self.refused.insert(key);
            }
        }
        for row in self.rows.values_mut() {
            let packets = packets(&row.counters);
            if packets != row.packets {
                (row.packets, row.changed_ns) = (packets, now_ns);
            }
        }
        gone
    }

    /// Gives rows to keys that are active and have none, those with most packets first.
    fn admit(&mut self, tunnels: &[&Tracked], now_ns: u64, key: impl Fn(&Tracked) -> K) -> Vec<K> {
        let mut waiting = BTreeMap::<K, (u64, Tunnel)>::new();
        for tracked in tunnels.iter().filter(|tracked| !self.rows.contains_key(&key(tracked))) {
            let sum = waiting.entry(key(tracked)).or_insert((0, tracked.tunnel));
            sum.0 += packets(&tracked.counters);
        }
        waiting.retain(|key, (packets, _)| self.left.get(key).is_none_or(|left| *packets > sum(left.base)));
        let gone = self.make_room(waiting.len(), now_ns);
        let mut waiting: Vec<(K, (u64, Tunnel))> = waiting.into_iter().collect();
        waiting.sort_by_key(|(_, (packets, _))| Reverse(*packets));
        for (key, (_, tunnel)) in waiting.into_iter().take(self.most.saturating_sub(self.rows.len())) {
            let entered = self.left.remove(&key).map_or_else(Counters::default, |left| {
                let mut gained = traffic(&left.now);
                gained.subtract(left.base);
                self.kept.plus(gained);
                left.now
            });
            self.rows.insert(key, Row { counters: of(tunnel), entered, packets: 0, changed_ns: now_ns });
        }
        gone
    }

    /// Takes away the rows that have been idle longest, as far as so many new ones need their places.
    fn make_room(&mut self, wanted: usize, now_ns: u64) -> Vec<K> {
        let missing = (self.rows.len() + wanted).saturating_sub(self.most);
        if missing == 0 {
            return Vec::new();
        }
        let is_idle = |row: &Row| now_ns.saturating_sub(row.changed_ns) >= self.idle_ns;
        let mut idle: Vec<(u64, K)> =
            self.rows.iter().filter(|(_, row)| is_idle(row)).map(|(key, row)| (row.changed_ns, *key)).collect();
        idle.sort_unstable();
        let gone: Vec<K> = idle.into_iter().take(missing).map(|(_, key)| key).collect();
        for key in &gone {
            if let Some(row) = self.rows.remove(key) {
                self.left.insert(*key, Left { base: traffic(&row.counters), now: row.counters });
                self.refused.insert(*key);
            }
        }
        gone
    }

    /// Each row.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &Counters)> {
        self.rows.iter().map(|(key, row)| (*key, &row.counters))
    }

    /// Each row of which something was counted lately.
    pub(super) fn active(&self, now_ns: u64) -> impl Iterator<Item = (K, &Counters)> {
        let is_active = move |row: &Row| now_ns.saturating_sub(row.changed_ns) < self.idle_ns;
        self.rows.iter().filter(move |(_, row)| is_active(row)).map(|(key, row)| (*key, &row.counters))
    }

    /// The row of a key.
    pub(super) fn get(&self, key: &K) -> Option<&Counters> {
        self.rows.get(key).map(|row| &row.counters)
    }

    /// What those count that have no row: with the rows it is everything.
    pub(super) fn other(&self) -> Traffic {
        self.other
    }

    /// What was counted of keys while they had no row; never less than before.
    pub(super) fn others(&self) -> Traffic {
        let mut others = self.other;
        self.left.values().for_each(|left| others.subtract(left.base));
        others.plus(self.kept);
        others
    }

    /// Keys that have ever been without a row.
    pub(super) fn refused(&self) -> usize {
        self.refused.len()
    }

    /// What was added since `before`; maxima and minima stay those of the whole run.
    pub(super) fn since(&self, before: &Self) -> Self {
        let mut difference = self.clone();
        for (key, row) in &mut difference.rows {
            let before = before.rows.get(key).map_or(&row.entered, |row| &row.counters);
            row.counters.subtract(before);
        }
        difference.other = self.others();
        difference.other.subtract(before.others());
        difference
    }
}

/// Counters of nothing yet.
fn of(tunnel: Tunnel) -> Counters {
    let mut counters = Counters::default();
    counters.tunnel = tunnel;
    counters
}

fn packets(counters: &Counters) -> u64 {
    counters.traffic.iter().map(|way| way.packets).sum()
}

fn sum(traffic: Traffic) -> u64 {
    traffic.rx_packets + traffic.tx_packets
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// Rows for two keys, idle after ten seconds.
    struct World {
        rows: Rows<u32>,
        counts: BTreeMap<u32, u64>,
    }

    impl World {
        fn new() -> Self {
            Self { rows: Rows::new(2, 10 * SECOND), counts: BTreeMap::new() }
        }

        /// So many packets more of each key, at a second; returns the rows' and the others' differences, and the keys gone.
        fn pass(&mut self, second: u64, more: &[(u32, u64)]) -> (Vec<(u32, u64)>, u64, Vec<u32>) {
            for (key, packets) in more {
                *self.counts.entry(*key).or_default() += packets;
            }
            let tracked = |(key, packets): (&u32, &u64)| {
                let mut counters = Counters::default();
                counters.traffic[0].packets = *packets;
                Tracked { slot: *key as u16, tunnel: Tunnel::default(), counters }
            };
            let tunnels: Vec<Tracked> = self.counts.iter().map(tracked).collect();
            let tunnels: Vec<&Tracked> = tunnels.iter().collect();
            let before = self.rows.clone();
            let gone =
                self.rows.update(&tunnels, Traffic::default(), second * SECOND, |tracked| u32::from(tracked.slot));
            let whole = self.rows.iter().map(|(_, counters)| packets(counters)).sum::<u64>();
            let other = self.rows.other().rx_packets;
            assert_eq!(whole + other, self.counts.values().sum::<u64>(), "rows and other are everything");
            let since = self.rows.since(&before);
            let rows = since.iter().map(|(key, counters)| (key, packets(counters))).filter(|(_, count)| *count != 0);
            (rows.collect(), since.other().rx_packets, gone)
        }
    }

    #[test]
    fn those_that_come_first_have_rows_and_keep_them_while_they_are_active() {
        let mut world = World::new();
        assert_eq!(world.pass(0, &[(1, 5), (2, 9), (3, 7)]), (vec![(2, 9), (3, 7)], 5, vec![]));
        for second in 1..30 {
            assert_eq!(world.pass(second, &[(1, 50), (2, 1), (3, 1)]), (vec![(2, 1), (3, 1)], 50, vec![]));
        }
        assert_eq!(world.rows.refused(), 1);
    }

    #[test]
    fn an_idle_row_is_given_up_only_when_another_key_wants_it_and_nothing_jumps() {
        let mut world = World::new();
        world.pass(0, &[(1, 1000), (2, 10)]);
        assert_eq!(world.pass(20, &[(2, 1)]), (vec![(2, 1)], 0, vec![]));
        assert_eq!(world.rows.active(20 * SECOND).count(), 1, "key 1 is idle");
        assert_eq!(world.pass(21, &[(3, 4)]), (vec![(3, 4)], 0, vec![1]), "the past of key 1 is not added to others");
        assert_eq!(world.pass(22, &[(1, 6), (2, 1), (3, 1)]), (vec![(2, 1), (3, 1)], 6, vec![]));
        assert_eq!(world.rows.others().rx_packets, 6);
        assert_eq!(
            world.pass(40, &[(1, 2), (3, 1)]),
            (vec![(1, 2), (3, 1)], 0, vec![2]),
            "it is back, with what is new"
        );
        assert_eq!(world.rows.others().rx_packets, 6, "others never decrease");
        assert_eq!(world.rows.get(&1).map(packets), Some(1008));
    }
}
