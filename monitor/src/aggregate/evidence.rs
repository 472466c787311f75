//! What rules judge: tunnels one by one, and ICMP errors, alike ones together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use monitor_common::count::Traffic;
use monitor_common::event::{self, IcmpError};
use monitor_common::frame::Direction;

use crate::counts::{Counts, Tracked};
use crate::snapshot::{Flow, IcmpErrors, Tunnel, Way};

/// Errors that are told apart at most; a flood of them has one reporter or many false ones.
const MOST: usize = 256;

/// All that tells errors apart: who reports, the ends, direction, VNI, type, code, MTU, DF.
type Key = (IpAddr, [IpAddr; 2], bool, Option<u32>, u8, u8, Option<u32>, bool);

/// ICMP errors of some time.
#[derive(Default)]
pub(super) struct Errors(BTreeMap<Key, IcmpErrors>);

impl Errors {
    /// Takes one.
    pub(super) fn record(&mut self, error: &IcmpError) {
        let is_received = event::direction(error.direction) == Direction::Rx;
        let (source, destination) = (error.source.ip(), error.destination.ip());
        let (local, peer) = if is_received { (source, destination) } else { (destination, source) };
        let new = IcmpErrors {
            reporter: error.reporter.ip(),
            peer,
            local,
            is_received,
            vni: (error.has_vni != 0).then_some(error.vni),
            kind: error.kind,
            code: error.code,
            mtu_bytes: (error.mtu != 0).then_some(error.mtu),
            quoted_bytes: error.quoted,
            quoted_length_bytes: error.quoted_length,
            quoted_df: error.quoted_df != 0,
            flow: Flow::quoted(error),
            count: 0,
        };
        let IcmpErrors { reporter, vni, kind, code, mtu_bytes, quoted_df, .. } = new;
        let key = (reporter, [peer, local], is_received, vni, kind, code, mtu_bytes, quoted_df);
        let (quoted, length, flow) = (new.quoted_bytes, new.quoted_length_bytes, new.flow);
        if self.0.len() < MOST || self.0.contains_key(&key) {
            let sum = self.0.entry(key).or_insert(new);
            sum.count += 1;
            sum.quoted_bytes = sum.quoted_bytes.min(quoted);
            sum.quoted_length_bytes = sum.quoted_length_bytes.min(length);
            sum.flow = sum.flow.or(flow);
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<IcmpErrors> {
        self.0.values().cloned().collect()
    }

    /// All of them, of which there are none afterwards.
    pub(super) fn take(&mut self) -> Vec<IcmpErrors> {
        std::mem::take(&mut self.0).into_values().collect()
    }
}

/// Without another one for so long, nobody complains any more.
const SILENT_NS: u64 = 60_000_000_000;

/// The ways, by their ends here and there, about whose packets an error has come, and when it did last.
#[derive(Default)]
pub(super) struct Complaints(HashMap<[IpAddr; 2], u64>);

impl Complaints {
    /// Takes an error.
    pub(super) fn record(&mut self, error: &IcmpError) {
        let way = [error.source.ip(), error.destination.ip()];
        let is_received = event::direction(error.direction) == Direction::Rx;
        if is_received && (self.0.len() < MOST || self.0.contains_key(&way)) {
            self.0.insert(way, error.head.at_ns);
        }
    }

    /// The ways about which somebody complains.
    pub(super) fn lately(&self, now_ns: u64) -> BTreeSet<[IpAddr; 2]> {
        self.0.iter().filter(|(_, at)| now_ns < **at + SILENT_NS).map(|(way, _)| *way).collect()
    }
}

/// The counts of the tunnels with fragments by slot, as they were. There may be tens of thousands of tunnels, and of most
/// there is nothing to judge.
#[derive(Default)]
pub(super) struct Before(HashMap<u16, [Traffic; 2]>);

impl Before {
    /// The tunnels that had fragments or are to `peers`, with what was counted since the last call.
    pub(super) fn since(&mut self, counts: &Counts, peers: &BTreeSet<IpAddr>) -> Vec<Tunnel> {
        let mut since = |tracked: &&Tracked| {
            let now = tracked.counters.traffic;
            let before = if has_fragments(tracked) { self.0.insert(tracked.slot, now) } else { None };
            let before = before.unwrap_or_default();
            tunnel(tracked, [0, 1].map(|way: usize| way_of(&now[way], &before[way])))
        };
        of_interest(counts, peers).iter().map(&mut since).collect()
    }
}

/// The same tunnels with all that was counted.
pub(super) fn whole(counts: &Counts, peers: &BTreeSet<IpAddr>) -> Vec<Tunnel> {
    let none = Traffic::default();
    let row = |tracked: &&Tracked| tunnel(tracked, tracked.counters.traffic.map(|now| way_of(&now, &none)));
    of_interest(counts, peers).iter().map(row).collect()
}

fn of_interest<'a>(counts: &'a Counts, peers: &BTreeSet<IpAddr>) -> Vec<&'a Tracked> {
    let is_to = |tracked: &Tracked| !peers.is_empty() && peers.contains(&tracked.tunnel.peer().ip());
    counts.tunnels.iter().filter(|tracked| has_fragments(tracked) || is_to(tracked)).collect()
}

fn has_fragments(tracked: &Tracked) -> bool {
    tracked.counters.traffic.iter().any(|traffic| traffic.outer_fragments + traffic.inner_fragments != 0)
}

fn tunnel(tracked: &Tracked, [rx, tx]: [Way; 2]) -> Tunnel {
    let most = tracked.counters.traffic.iter().map(|traffic| traffic.overhead_most).max();
    Tunnel {
        vni: tracked.tunnel.vni(),
        peer: tracked.tunnel.peer().ip(),
        local: tracked.tunnel.local().ip(),
        overhead_bytes: most.unwrap_or_default().into(),
        rx,
        tx,
    }
}

fn way_of(now: &Traffic, before: &Traffic) -> Way {
    Way {
        packets: now.packets,
        outer_fragments: now.outer_fragments - before.outer_fragments,
        inner_fragments: now.inner_fragments - before.inner_fragments,
        df_clear: now.outer_df_clear,
        outer_length_max_bytes: now.outer_longest.into(),
        inner_length_max_bytes: now.inner_longest.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: u8, quoted: u32) -> IcmpError {
        IcmpError { kind, quoted, quoted_length: 1000 + quoted, ..IcmpError::default() }
    }

    #[test]
    fn alike_errors_are_summed_and_a_flood_of_different_ones_is_bounded() {
        let mut errors = Errors::default();
        for event in [error(3, 28), error(3, 548), error(11, 28)] {
            errors.record(&event);
        }
        let found: Vec<_> = errors.all().iter().map(|error| (error.kind, error.count, error.quoted_bytes)).collect();
        assert_eq!(found, [(3, 2, 28), (11, 1, 28)]);
        for mtu in 1..2000 {
            errors.record(&IcmpError { mtu, ..error(3, 28) });
        }
        assert_eq!(errors.take().len(), MOST);
        assert_eq!(errors.all(), []);
    }
}
