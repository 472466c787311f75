//! Missing data in virtual time: what is sent again is told, step by step, and healthy connections tell nothing.

use monitor_common::event::hole::Step;
use monitor_common::event::{Any, Handshake, Retransmit};
use monitor_common::frame::Direction;
use tests::frame::parts::{ACK, FIN, SYN, timestamps};

use super::node::{Node, TICK, connect};

use Direction::{Rx, Tx};
use Step::{Acknowledged, Missing, SentAgain};

const MS: u64 = 1_000_000;
/// What the outer IP packet of a segment has besides the payload: 20 + 8 + 8 + 14 + 20 + 32 bytes.
const HEADERS: u32 = 102;

/// Step, direction of the data, how often it was sent again, its packet's length, missing bytes, age in milliseconds.
type Told = (Step, Direction, u32, u32, u32, u64);

fn told(node: &mut Node) -> Vec<Told> {
    let steps = node.events().into_iter().filter_map(|event| match event {
        Any::Retransmit(step) => Some(step),
        Any::Rtt(_) | Any::Fragment(_) | Any::IcmpError(_) | Any::Handshake(_) | Any::Drop(_) => None,
    });
    steps
        .map(|step| (Step::from_index(step.step), direction(&step), step.times, step.length, step.missing, age(&step)))
        .collect()
}

fn direction(step: &Retransmit) -> Direction {
    Direction::from_index(step.direction.into())
}

/// To the next millisecond, since times are in ticks.
fn age(step: &Retransmit) -> u64 {
    (step.age_ns + TICK).div_euclid(MS)
}

/// A connection through which 100 bytes have gone to B.
fn connected() -> Node {
    let mut node = Node::new(200, 100);
    connect(&mut node, MS, 1000);
    node.tcp(Tx, 10 * MS, ACK, [71001, 9001, 1010, 2000], 100);
    node.tcp(Rx, 11 * MS, ACK, [9001, 71101, 2011, 1010], 0);
    assert_eq!(told(&mut node), []);
    node
}

#[test]
fn data_that_is_sent_again_is_followed_until_it_is_acknowledged() {
    let mut node = connected();
    for (at, tsval) in [(20, 1020), (220, 1220), (620, 1620), (1420, 2420)] {
        node.tcp(Tx, at * MS, ACK, [71101, 9001, tsval, 2011], 1400);
    }
    node.tcp(Rx, 1430 * MS, ACK, [9001, 72501, 3430, 2420], 0);
    node.tcp(Tx, 1440 * MS, ACK, [72501, 9001, 2440, 3430], 1400);
    let length = HEADERS + 1400;
    assert_eq!(
        told(&mut node),
        [
            (SentAgain, Tx, 1, length, 0, 200),
            (SentAgain, Tx, 2, length, 0, 600),
            (SentAgain, Tx, 3, length, 0, 1400),
            (Acknowledged, Tx, 3, 0, 0, 1410),
        ]
    );
}

#[test]
fn what_is_received_is_followed_in_the_same_way() {
    let mut node = connected();
    for (at, tsval) in [(20, 2020), (220, 2220)] {
        node.tcp(Rx, at * MS, ACK, [9001, 71101, tsval, 1010], 500);
    }
    node.tcp(Tx, 230 * MS, ACK, [71101, 9501, 1230, 2220], 0);
    let length = HEADERS + 500;
    assert_eq!(told(&mut node), [(SentAgain, Rx, 1, length, 0, 200), (Acknowledged, Rx, 1, 0, 0, 210)]);
}

#[test]
fn a_duplicate_of_the_network_is_not_sent_again() {
    let mut node = connected();
    for at in [20, 21, 22] {
        node.tcp(Tx, at * MS, ACK, [71101, 9001, 1020, 2011], 1400);
    }
    assert_eq!(told(&mut node), []);
}

#[test]
fn other_data_behind_what_waits_is_not_sent_again() {
    let mut node = connected();
    for segment in 0..5 {
        node.tcp(
            Tx,
            (20 + segment) * MS,
            ACK,
            [71101 + 1400 * segment as u32, 9001, 1020 + segment as u32, 2011],
            1400,
        );
    }
    node.tcp(Rx, 26 * MS, ACK, [9001, 78101, 2026, 1020], 0);
    assert_eq!(told(&mut node), []);
}

/// Acknowledgment of what came before a hole, with what came behind it.
fn sack(node: &mut Node, direction: Direction, at_ns: u64, numbers: [u32; 4], block: [u32; 2]) {
    let [left, right] = block.map(u32::to_be_bytes);
    let options = [&timestamps(numbers[2], numbers[3])[..], &[1, 1, 5, 10], &left, &right].concat();
    node.segment(direction, at_ns, ACK, numbers, options, 0);
}

#[test]
fn what_an_acknowledgment_leaves_out_is_missing_once() {
    let mut node = connected();
    node.tcp(Tx, 20 * MS, ACK, [71101, 9001, 1020, 2011], 1000);
    node.tcp(Tx, 20 * MS, ACK, [72101, 9001, 1020, 2011], 1000);
    for at in [21, 22] {
        sack(&mut node, Rx, at * MS, [9001, 71101, 2021, 1010], [72101, 73101]);
    }
    node.tcp(Tx, 23 * MS, ACK, [71101, 9001, 1023, 2021], 1000);
    node.tcp(Rx, 24 * MS, ACK, [9001, 73101, 2024, 1023], 0);
    let length = HEADERS + 1000;
    assert_eq!(
        told(&mut node),
        [(Missing, Tx, 0, 0, 1000, 0), (SentAgain, Tx, 1, length, 0, 2), (Acknowledged, Tx, 1, 0, 0, 3)]
    );
}

#[test]
fn a_block_below_the_acknowledgment_is_a_duplicate_and_no_hole() {
    let mut node = connected();
    sack(&mut node, Rx, 30 * MS, [9001, 71101, 2030, 1010], [71001, 71101]);
    assert_eq!(told(&mut node), []);
}

#[test]
fn a_sender_that_is_ahead_at_the_end_has_lost_data() {
    let mut node = connected();
    node.tcp(Rx, 20 * MS, ACK, [9001, 71101, 2020, 1010], 115);
    node.tcp(Tx, 21 * MS, ACK, [71101, 9116, 1021, 2020], 0);
    node.tcp(Tx, 9_000 * MS, ACK | FIN, [71101, 9116, 10_000, 2020], 0);
    node.tcp(Rx, 9_001 * MS, ACK, [25_044, 71102, 11_001, 10_000], 0);
    assert_eq!(told(&mut node), [(Missing, Rx, 0, HEADERS, 25_044 - 9116, 8_981)]);
}

#[test]
fn ends_of_healthy_connections_tell_nothing() {
    // All is acknowledged; data that comes after the FIN of the other side; data that is on its way at the FIN.
    for server in
        [&[(9_001, 9116, 0)][..], &[(9_001, 9116, 500), (9_002, 9616, 500)], &[(9_001, 9116, 0), (9_003, 9116, 7)]]
    {
        let mut node = connected();
        node.tcp(Rx, 20 * MS, ACK, [9001, 71101, 2020, 1010], 115);
        node.tcp(Tx, 21 * MS, ACK, [71101, 9116, 1021, 2020], 0);
        node.tcp(Tx, 9_000 * MS, ACK | FIN, [71101, 9116, 10_000, 2020], 0);
        for (at, sequence, payload) in server {
            node.tcp(Rx, at * MS, ACK, [*sequence, 71102, 11_001, 10_000], *payload);
            node.tcp(Tx, at * MS + MS / 2, ACK, [71102, sequence + *payload as u32, 10_001, 11_001], 0);
        }
        node.tcp(Rx, 9_010 * MS, ACK | FIN, [9116 + 1000, 71102, 11_010, 10_001], 0);
        assert_eq!(told(&mut node), [], "{server:?}");
    }
}

#[test]
fn echo_requests_without_a_reply_are_counted_until_one_comes() {
    let mut node = Node::new(200, 100);
    for (sequence, at) in [(1, 0), (2, 50), (3, 300), (4, 1300)] {
        node.echo(Tx, at * MS, 8, sequence);
    }
    node.echo(Rx, 1301 * MS, 0, 4);
    node.echo(Tx, 2300 * MS, 8, 5);
    node.echo(Rx, 2301 * MS, 0, 5);
    let length = 20 + 8 + 8 + 14 + 20 + 8 + 24;
    // The second comes too soon to say anything.
    assert_eq!(
        told(&mut node),
        [(SentAgain, Tx, 1, length, 0, 300), (SentAgain, Tx, 2, length, 0, 1300), (Acknowledged, Tx, 2, 0, 0, 0)]
    );
}

#[test]
fn a_handshake_tells_what_both_sides_take() {
    let mut node = Node::new(200, 100);
    let mss = |mss: u16| [&[2, 4][..], &mss.to_be_bytes()].concat();
    node.segment(Tx, MS, SYN, [71000, 0, 0, 0], mss(1460), 0);
    node.segment(Rx, 2 * MS, SYN | ACK, [9000, 71001, 0, 0], mss(1360), 0);
    // Of another connection, and sent again.
    node.segment(Rx, 3 * MS, SYN | ACK, [9000, 71009, 0, 0], mss(1360), 0);
    node.segment(Rx, 4 * MS, SYN | ACK, [9000, 71001, 0, 0], mss(1360), 0);
    let handshakes: Vec<Handshake> = node
        .events()
        .into_iter()
        .filter_map(|event| match event {
            Any::Handshake(handshake) => Some(handshake),
            Any::Rtt(_) | Any::Fragment(_) | Any::IcmpError(_) | Any::Retransmit(_) | Any::Drop(_) => None,
        })
        .collect();
    let [handshake] = handshakes.try_into().unwrap();
    assert_eq!((handshake.source_mss, handshake.destination_mss, handshake.overhead), (1360, 1460, 50));
    assert_eq!((handshake.source_port, handshake.destination_port), (443, 40000));
}

#[test]
fn a_sample_says_how_long_its_packet_was() {
    let mut node = connected();
    node.tcp(Tx, 20 * MS, ACK, [71101, 9001, 1020, 2011], 1000);
    node.tcp(Rx, 21 * MS, ACK, [9001, 72101, 2021, 1020], 0);
    let lengths: Vec<_> = node
        .events()
        .iter()
        .filter_map(|event| match event {
            Any::Rtt(sample) => Some(sample.length),
            Any::Fragment(_) | Any::IcmpError(_) | Any::Retransmit(_) | Any::Handshake(_) | Any::Drop(_) => None,
        })
        .collect();
    assert_eq!(lengths, [(HEADERS + 1000) as u16 / 16 * 16]);
}
