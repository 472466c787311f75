//! Pieces in every order, with losses, duplicates and one identification for all.

use std::net::Ipv4Addr;

use monitor_common::event::Head;

use super::*;

const MILLISECOND: u64 = 1_000_000;
const START: u64 = 100_000 * MILLISECOND;
const LENGTHS: [u16; 3] = [1376, 1376, 700];

fn fragment(at_ns: u64, id: u32, content: u32, piece: usize) -> Fragment {
    let [source, destination] = [[192, 0, 2, 2], [192, 0, 2, 1]].map(|ip| Address::from(Ipv4Addr::from(ip)));
    Fragment {
        head: Head { at_ns, tunnel: 3, ..Head::default() },
        source,
        destination,
        id,
        length: u32::from(LENGTHS[piece]) + 20,
        offset: 1376 * piece as u16,
        more: u8::from(piece != 2),
        payload: LENGTHS[piece],
        whole: if piece == 0 { LENGTHS.iter().sum() } else { 0 },
        content: if piece == 0 { content } else { 0 },
        ..Fragment::default()
    }
}

/// Pieces of datagrams, as (id, content, piece), one each microsecond.
fn stream(pieces: &[(u32, u32, usize)]) -> (Datagrams, Pieces) {
    let mut datagrams = Datagrams::default();
    let mut at = START;
    for (id, content, piece) in pieces {
        at += 1000;
        datagrams.record(&fragment(at, *id, *content, *piece), Some(&Tunnel::default()));
    }
    datagrams.expire(at + HOLD_NS);
    let [row] = datagrams.end_interval().try_into().unwrap();
    assert_eq!((datagrams.waiting, datagrams.open.len(), datagrams.queue.len()), (0, 0, 0));
    (datagrams, row.pieces)
}

fn found(pieces: &[(u32, u32, usize)]) -> [u64; 3] {
    let found = stream(pieces).1;
    [found.complete_datagrams, found.incomplete_datagrams, found.overlapping_fragments]
}

/// A generator that gives the same numbers each time (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as usize % most
    }
}

/// `count` datagrams, whose pieces are at most `mess` places from where they belong.
fn shuffled(random: &mut Random, count: u32, id: impl Fn(u32) -> u32, mess: usize) -> Vec<(u32, u32, usize)> {
    let mut all: Vec<_> = (0..count).flat_map(|n| (0..3).map(move |piece| (n, piece))).collect();
    for at in 0..all.len() {
        let other = (at + random.below(mess + 1)).min(all.len() - 1);
        all.swap(at, other);
    }
    all.into_iter().map(|(n, piece)| (id(n), n + 1, piece)).collect()
}

#[test]
fn a_datagram_is_complete_in_every_order_of_its_pieces() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for id in [0, 7] {
            assert_eq!(found(&order.map(|piece| (id, 1, piece))), [1, 0, 0], "{order:?}");
        }
    }
}

#[test]
fn nothing_is_missing_of_what_came_whatever_the_order_and_the_duplicates() {
    for seed in 1..200 {
        let mut random = Random(seed * 7919);
        let is_one_id = seed % 2 == 0;
        let mut pieces = shuffled(&mut random, 200, |n| if is_one_id { 0 } else { n + 1 }, seed as usize % 40);
        for at in 0..random.below(60) {
            let copied = pieces[random.below(pieces.len())];
            let behind = (at * 7 + random.below(20)).min(pieces.len());
            pieces.insert(behind, copied);
        }
        let [complete, incomplete, overlapping] = found(&pieces);
        assert_eq!((incomplete, overlapping), (0, 0), "seed {seed}");
        assert_eq!(complete, 200, "seed {seed}");
    }
}

#[test]
fn so_many_are_incomplete_as_have_lost_a_piece() {
    for seed in 1..200 {
        let mut random = Random(seed * 104_729);
        let is_one_id = seed % 2 == 0;
        let mut pieces = shuffled(&mut random, 200, |n| if is_one_id { 0 } else { n + 1 }, 0);
        let mut lost = 0;
        // Of different datagrams one that is not the first: of what has no first one nothing is known.
        for n in (0..200).rev().filter(|n| n % 17 == seed as usize % 17) {
            pieces.remove(3 * n + 1 + random.below(2));
            lost += 1;
        }
        let [complete, incomplete, _] = found(&pieces);
        if is_one_id {
            assert!((1..=lost).contains(&incomplete) && complete <= 200 - incomplete, "{incomplete} of {lost}");
        } else {
            assert_eq!([complete, incomplete], [200 - lost, lost], "seed {seed}");
        }
    }
}

#[test]
fn with_one_identification_a_lost_last_piece_is_counted_once_for_each() {
    let pieces: Vec<_> = (0..300).flat_map(|n| [(0, n + 1, 0), (0, n + 1, 1), (0, n + 1, 2)]).collect();
    let lossy: Vec<_> = pieces.iter().copied().filter(|(_, content, piece)| *piece != 2 || content % 10 != 0).collect();
    assert_eq!(found(&lossy), [270, 30, 0]);
    let by_peer: Vec<u64> = stream(&lossy).0.incomplete().into_values().collect();
    assert_eq!(by_peer, [30]);
}

#[test]
fn what_has_no_first_piece_is_nobodys() {
    let mut datagrams = Datagrams::default();
    datagrams.record(&fragment(START, 7, 0, 2), None);
    datagrams.expire(START + HOLD_NS);
    assert_eq!(datagrams.end_interval(), []);
}

#[test]
fn a_first_piece_says_whose_those_before_it_were_within_a_tenth_of_a_second() {
    for (delay, late) in [(LATE_NS, 1), (LATE_NS + 1, 0)] {
        let mut datagrams = Datagrams::default();
        for piece in [1, 2] {
            let mut orphan = fragment(START, 7, 0, piece);
            orphan.head.tunnel = UNTRACKED;
            datagrams.record(&orphan, None);
        }
        datagrams.record(&fragment(START + delay, 7, 9, 0), Some(&Tunnel::default()));
        let [row] = datagrams.end_interval().try_into().unwrap();
        assert_eq!((row.pieces.late_first_fragments, row.pieces.late_attributed_fragments), (late, 2 * late));
        assert_eq!((row.vni, row.pieces.complete_datagrams), (Some(0), 1));
    }
}

#[test]
fn pieces_that_repeat_some_bytes_are_told_unless_all_have_one_identification() {
    for (id, offset, expected) in [(7, 800, 1), (7, 1376, 1), (0, 800, 0), (0, 1376, 0)] {
        let mut datagrams = Datagrams::default();
        let over = Fragment { offset, payload: 800, ..fragment(START + 2, id, 0, 1) };
        for event in [fragment(START, id, 1, 0), fragment(START + 1, id, 0, 1), over, fragment(START + 3, id, 0, 2)] {
            datagrams.record(&event, Some(&Tunnel::default()));
        }
        datagrams.expire(START + 2 * HOLD_NS);
        let [row] = datagrams.end_interval().try_into().unwrap();
        assert_eq!((row.pieces.overlapping_fragments, row.pieces.complete_datagrams), (expected, 1));
    }
}

#[test]
fn an_identification_that_is_used_again_soon_is_another_datagram() {
    assert_eq!(found(&[(7, 1, 0), (7, 1, 1), (7, 2, 0), (7, 2, 1), (7, 2, 2)]), [1, 1, 0]);
}

#[test]
fn tiny_pieces_and_those_that_are_cut_twice_are_told() {
    let mut datagrams = Datagrams::default();
    let headless = Fragment { payload: 8, length: 600, ..fragment(START, 7, 1, 0) };
    let short = Fragment { length: TINY_BYTES - 1, payload: 379, ..fragment(START, 8, 1, 1) };
    let last = Fragment { length: 28, payload: 8, ..fragment(START, 9, 1, 2) };
    let double = Fragment { is_double: 1, ..fragment(START, 10, 1, 0) };
    for event in [headless, short, last, double] {
        datagrams.record(&event, Some(&Tunnel::default()));
    }
    let [row] = datagrams.end_interval().try_into().unwrap();
    assert_eq!((row.pieces.tiny_fragments, row.pieces.double_fragmented), (2, 1));
}

#[test]
fn nothing_is_missing_where_events_were_lost() {
    for (doubt_ns, incomplete) in [(START - HOLD_NS - 1, 1), (START - HOLD_NS, 0), (START + HOLD_NS, 0)] {
        let mut datagrams = Datagrams::default();
        if doubt_ns < START {
            datagrams.doubt(doubt_ns);
        }
        datagrams.record(&fragment(START, 7, 1, 0), Some(&Tunnel::default()));
        datagrams.expire(START + HOLD_NS - 1);
        assert_eq!(datagrams.waiting, 1);
        datagrams.expire(START + HOLD_NS);
        if doubt_ns > START {
            datagrams.doubt(doubt_ns);
        }
        let rows = datagrams.end_interval();
        assert_eq!(rows.iter().map(|row| row.pieces.incomplete_datagrams).sum::<u64>(), incomplete, "{doubt_ns}");
    }
}

#[test]
fn what_waits_is_bounded_and_what_found_no_room_is_not_missed() {
    let mut datagrams = Datagrams::default();
    for id in 1..10 * MOST as u32 {
        datagrams.record(&fragment(START, id, id, 0), Some(&Tunnel::default()));
    }
    assert_eq!((datagrams.waiting, datagrams.queue.len()), (MOST, MOST));
    // First pieces that find no room make nothing else uncertain, later ones do.
    assert_eq!(datagrams.doubt_ns, None);
    datagrams.record(&fragment(START, 99_999, 0, 2), Some(&Tunnel::default()));
    assert_eq!(datagrams.doubt_ns, Some(START));
    for id in 1..10 * MOST as u32 {
        for piece in 0..3 {
            datagrams.record(&fragment(START + 2 * HOLD_NS, id, id, piece), Some(&Tunnel::default()));
        }
    }
    assert!(datagrams.done.len() <= MOST && datagrams.done_queue.len() == datagrams.done.len());
}
