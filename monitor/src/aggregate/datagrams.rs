//! Datagrams of tunnels that come in pieces, from the events of their fragments: which are complete, which remain
//! incomplete, and what no honest sender does.
//!
//! Times are those of events. Only what is certain is said: Open vSwitch sends every packet with identification 0, so
//! pieces go to the oldest datagram that they fit, which leaves as many incomplete as there are, whichever those are. A
//! datagram is judged [`HOLD_NS`] after its first piece came, and only if no event was lost since long before it.

mod pieces;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::IpAddr;

use monitor_common::event::{self, Fragment};
use monitor_common::frame::{Direction, UNTRACKED};
use monitor_common::packet::Address;
use monitor_common::tunnel::Tunnel;
use monitor_common::wire::{geneve, udp};

use crate::snapshot::{Datagrams as Counted, Pieces};
use pieces::{Datagram, First, Fit, Piece};

/// Between the first piece and the judgment. Pieces of one datagram leave together: what is a second behind waited longer
/// than any queue holds a packet. The kernel waits for 30 s, which is no time to wait for an answer.
const HOLD_NS: u64 = 1_000_000_000;
/// Later fragments wait so long for their first one to say whose they are.
const LATE_NS: u64 = 100_000_000;
/// Datagrams that wait for pieces at most, and complete ones that are remembered for their duplicates.
const MOST: usize = 1024;
/// VNIs and peers that are told apart at most, per direction.
const MOST_ROWS: usize = 4096;
/// A piece that is not the last is as long as a link takes, and none takes less than this: IPv4 asks for 576 bytes at
/// the other end, and where a sender makes two equal halves, they are of more than 1280 bytes (IPv6) together.
const TINY_BYTES: u32 = 400;
/// What a first fragment has to hold to say whose it is.
const HEADERS: u16 = (udp::LENGTH + geneve::LENGTH) as u16;

/// Source, destination and identification: the protocol is always UDP.
type Key = ([Address; 2], u32);

/// Whose a datagram is: VNI, peer, the end here, whether it is transmitted.
type Row = (Option<u32>, IpAddr, IpAddr, bool);

type Rows = BTreeMap<Row, Pieces>;

/// The datagrams of a device.
#[derive(Default)]
pub(super) struct Datagrams {
    open: HashMap<Key, Vec<Datagram>>,
    /// Those that were opened, in order; of complete ones nothing else is left.
    queue: VecDeque<(u64, u64, Key)>,
    waiting: usize,
    serial: u64,
    done: HashSet<(Key, u32)>,
    done_queue: VecDeque<(Key, u32)>,
    /// Up to then pieces may have passed unseen.
    doubt_ns: Option<u64>,
    /// What is claimed of the interval if no event of it was lost.
    claims: Rows,
    interval: Rows,
    whole: Rows,
}

impl Datagrams {
    /// Takes a fragment, with its tunnel if that is known.
    pub(super) fn record(&mut self, fragment: &Fragment, tunnel: Option<&Tunnel>) {
        let at = fragment.head.at_ns;
        self.expire(at);
        let (piece, first) = (Piece::of(fragment), First::of(fragment));
        let key = ([fragment.source, fragment.destination], fragment.id);
        let row = row(fragment, tunnel);
        if tunnel.is_some() || first.is_some() {
            self.note(fragment, row);
        }
        let is_duplicate = first.is_some_and(|first| {
            self.done.contains(&(key, first.content))
                || self.open.get(&key).is_some_and(|all| all.iter().any(|other| other.first == Some(first)))
        });
        if is_duplicate || fragment.payload == 0 {
            return;
        }
        let Some(index) = self.place(key, piece, first, at) else { return };
        let Some(datagram) = self.open.get_mut(&key).and_then(|all| all.get_mut(index)) else { return };
        datagram.add(piece, first);
        if first.is_some() || (datagram.row.is_none() && tunnel.is_some()) {
            datagram.row = Some(row);
        }
        if first.is_none() {
            datagram.orphans += u64::from(fragment.head.tunnel == UNTRACKED && datagram.first.is_none());
        } else if datagram.orphans != 0 && at <= datagram.opened_ns + LATE_NS {
            let (orphans, sum) = (datagram.orphans, entry(&mut self.interval, row));
            sum.late_first_fragments += 1;
            sum.late_attributed_fragments += orphans;
        }
        if datagram.is_complete() {
            self.finish(key, index);
        }
    }

    /// What one fragment shows by itself.
    fn note(&mut self, fragment: &Fragment, row: Row) {
        let is_short = fragment.more != 0 && fragment.length < TINY_BYTES;
        let is_headless = fragment.offset == 0 && fragment.payload < HEADERS;
        let sum = entry(&mut self.interval, row);
        sum.later_fragments += u64::from(fragment.offset != 0);
        sum.tiny_fragments += u64::from(is_short || is_headless);
        sum.double_fragmented += u64::from(fragment.is_double);
    }

    /// The oldest datagram that a piece fits, or a new one; `None`: there is no room.
    fn place(&mut self, key: Key, piece: Piece, first: Option<First>, at: u64) -> Option<usize> {
        let mut overlaps = None;
        for (index, datagram) in self.open.get(&key).into_iter().flatten().enumerate() {
            match datagram.fit(piece, first) {
                Fit::Part => return Some(index),
                Fit::Overlap => overlaps = overlaps.or(datagram.row),
                Fit::None => {}
            }
        }
        if self.waiting >= MOST {
            // Without a piece that is not the first, a datagram that is still to come would be thought incomplete.
            if first.is_none() {
                self.doubt_ns = Some(at);
            }
            return None;
        }
        self.serial += 1;
        self.waiting += 1;
        self.queue.push_back((at, self.serial, key));
        let all = self.open.entry(key).or_default();
        // Where all have one identification, it is only another datagram.
        let overlaps = overlaps.filter(|_| key.1 != 0);
        all.push(Datagram::new(self.serial, at, overlaps));
        Some(all.len() - 1)
    }

    /// A datagram is complete.
    fn finish(&mut self, key: Key, index: usize) {
        let Some(datagram) = self.take(key, index) else { return };
        if let Some(row) = datagram.row {
            entry(&mut self.interval, row).complete_datagrams += 1;
        }
        if let Some(first) = datagram.first
            && self.done.insert((key, first.content))
        {
            self.done_queue.push_back((key, first.content));
            if self.done_queue.len() > MOST
                && let Some(oldest) = self.done_queue.pop_front()
            {
                self.done.remove(&oldest);
            }
        }
    }

    fn take(&mut self, key: Key, index: usize) -> Option<Datagram> {
        let all = self.open.get_mut(&key)?;
        let datagram = all.remove(index);
        if all.is_empty() {
            self.open.remove(&key);
        }
        self.waiting -= 1;
        Some(datagram)
    }

    /// Judges what has waited long enough: all events before `now_ns` are known.
    pub(super) fn expire(&mut self, now_ns: u64) {
        while let Some((opened_ns, serial, key)) = self.queue.front().copied()
            && now_ns >= opened_ns + HOLD_NS
        {
            self.queue.pop_front();
            let index = self.open.get(&key).and_then(|all| all.iter().position(|other| other.serial == serial));
            if let Some(datagram) = index.and_then(|index| self.take(key, index)) {
                self.judge(&datagram);
            }
        }
    }

    fn judge(&mut self, datagram: &Datagram) {
        if self.doubt_ns.is_some_and(|doubt| datagram.opened_ns <= doubt + HOLD_NS) {
            return;
        }
        match (datagram.first, datagram.row, datagram.overlaps) {
            (Some(_), Some(row), _) => entry(&mut self.claims, row).incomplete_datagrams += 1,
            (None, _, Some(row)) => entry(&mut self.claims, row).overlapping_fragments += datagram.pieces(),
            _ => {}
        }
    }

    /// Up to `now_ns` fragments may have passed unseen.
    pub(super) fn doubt(&mut self, now_ns: u64) {
        self.claims.clear();
        self.doubt_ns = self.doubt_ns.max(Some(now_ns));
    }

    /// What was found in the interval, which is over.
    pub(super) fn end_interval(&mut self) -> Vec<Counted> {
        let claims = std::mem::take(&mut self.claims);
        merge(&mut self.interval, &claims);
        let interval = std::mem::take(&mut self.interval);
        merge(&mut self.whole, &interval);
        counted(&interval)
    }

    /// Received datagrams that stayed incomplete, by peer: those of intervals that are over, which nothing takes back.
    pub(super) fn incomplete(&self) -> BTreeMap<IpAddr, u64> {
        let mut peers = BTreeMap::new();
        for ((_, peer, _, is_transmitted), pieces) in &self.whole {
            if !is_transmitted && pieces.incomplete_datagrams != 0 {
                *peers.entry(*peer).or_default() += pieces.incomplete_datagrams;
            }
        }
        peers
    }

    /// What was found since the start.
    pub(super) fn all(&self) -> Vec<Counted> {
        let mut whole = self.whole.clone();
        merge(&mut whole, &self.interval);
        merge(&mut whole, &self.claims);
        counted(&whole)
    }
}

fn row(fragment: &Fragment, tunnel: Option<&Tunnel>) -> Row {
    let is_transmitted = event::direction(fragment.direction) == Direction::Tx;
    let [source, destination] = [fragment.source.ip(), fragment.destination.ip()];
    let (local, peer) = if is_transmitted { (source, destination) } else { (destination, source) };
    (tunnel.map(Tunnel::vni), peer, local, is_transmitted)
}

/// The sum of a row; when there are too many, that of nobody.
fn entry(rows: &mut Rows, row: Row) -> &mut Pieces {
    const NOBODY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
    let is_known = rows.len() < MOST_ROWS || rows.contains_key(&row);
    rows.entry(if is_known { row } else { (None, NOBODY, NOBODY, false) }).or_default()
}

fn merge(rows: &mut Rows, others: &Rows) {
    others.iter().for_each(|(row, pieces)| entry(rows, *row).add(pieces));
}

fn counted(rows: &Rows) -> Vec<Counted> {
    let row = |(&(vni, peer, local, is_transmitted), &pieces): (&Row, &Pieces)| Counted {
        vni,
        peer,
        local,
        is_transmitted,
        pieces,
    };
    rows.iter().map(row).collect()
}
