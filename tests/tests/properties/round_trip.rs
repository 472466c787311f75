//! Round-trip times in virtual time: known delays come back as samples, and what is ambiguous does not.

use monitor_common::frame::Direction;
use monitor_common::rtt::{Leg, Method};
use tests::frame::parts::{ACK, SYN};

use super::node::{Node, TICK, connect};
use Direction::{Rx, Tx};
use Leg::{Local, Remote};
use Method::{Echo, Handshake, Timestamp};

const MS: u64 = 1_000_000;
/// Where the 32 bits of the pipeline's clock wrap.
const WRAP: u64 = TICK << 32;

const START_TIMES: [u64; 4] = [0, 77 * 1_000_000_007, WRAP - 2 * MS, 3 * WRAP - 64];
const DELAYS: [u64; 5] = [TICK, 999_999, 5 * MS, 900 * MS, 130_000 * MS];

/// Start, delay, and the ticks that lie between the two times.
fn cases() -> impl Iterator<Item = (u64, u64, u64)> {
    let pairs = START_TIMES.into_iter().flat_map(|start| DELAYS.map(|delay| (start, delay)));
    pairs.map(|(start, delay)| (start, delay, (start + delay) / TICK - start / TICK))
}

#[test]
fn a_handshake_measures_both_legs() {
    for (start, delay, ticks) in cases() {
        let mut node = Node::new(200, 100);
        node.tcp(Tx, start, SYN, [71000, 0, 1, 0], 0);
        node.tcp(Rx, start + delay, SYN | ACK, [9000, 71001, 1, 1], 0);
        assert_eq!(node.samples(), [(100, Remote, Handshake, ticks)], "start {start}, delay {delay}");
        let (later, ticks) = (start + 2 * delay, (start + 2 * delay) / TICK - (start + delay) / TICK);
        node.tcp(Tx, later, ACK, [71001, 9001, 1, 1], 0);
        assert!(node.samples().contains(&(200, Local, Handshake, ticks)), "start {start}, delay {delay}");
    }
}

#[test]
fn an_echo_measures_the_leg_of_its_reply() {
    for (start, delay, ticks) in cases() {
        let mut node = Node::new(200, 100);
        node.echo(Tx, start, 8, 1);
        node.echo(Rx, start + delay, 0, 1);
        assert_eq!(node.samples(), [(100, Remote, Echo, ticks)], "start {start}, delay {delay}");
        let mut node = Node::new(200, 100);
        node.echo(Rx, start, 8, 0xffff);
        node.echo(Tx, start + delay, 0, 0xffff);
        assert_eq!(node.samples(), [(200, Local, Echo, ticks)], "start {start}, delay {delay}");
    }
}

#[test]
fn timestamps_measure_both_legs_also_where_they_wrap() {
    for tsval in [1000, u32::MAX, u32::MAX - 1, (1 << 30) - 1, (1 << 31) - 1] {
        for (start, delay, ticks) in cases() {
            let (next, theirs) = (tsval.wrapping_add(1), tsval.wrapping_add(1000));
            let mut node = Node::new(200, 100);
            connect(&mut node, start, tsval);
            node.tcp(Tx, start, ACK, [71001, 9001, next, theirs], 100);
            node.tcp(Rx, start + delay, ACK, [9001, 71101, theirs.wrapping_add(1), next], 100);
            let remote = (100, Remote, Timestamp, ticks);
            assert!(node.samples().contains(&remote), "TSval {tsval}, start {start}, delay {delay}");
            node.tcp(Tx, start + delay + MS, ACK, [71101, 9101, next, theirs.wrapping_add(1)], 0);
            let ticks = (start + delay + MS) / TICK - (start + delay) / TICK;
            assert!(node.samples().contains(&(200, Local, Timestamp, ticks)), "TSval {tsval}, start {start}");
            assert_eq!(node.samples().iter().filter(|sample| sample.2 == Timestamp).count(), 2);
        }
    }
}

#[test]
fn a_tsval_is_stamped_once() {
    let mut node = Node::new(200, 100);
    connect(&mut node, MS, 1000);
    node.tcp(Tx, 10 * MS, ACK, [71001, 9001, 1001, 2000], 100);
    node.tcp(Tx, 12 * MS, ACK, [71101, 9001, 1001, 2000], 100);
    node.tcp(Rx, 15 * MS, ACK, [9001, 71201, 2001, 1001], 0);
    node.tcp(Rx, 19 * MS, ACK, [9001, 71201, 2001, 1001], 0);
    assert!(node.samples().contains(&(100, Remote, Timestamp, 5 * MS / TICK)));
}

#[test]
fn an_echo_of_a_pure_acknowledgment_does_not_answer_the_data_behind_it() {
    let mut node = Node::new(200, 100);
    connect(&mut node, MS, 1000);
    node.tcp(Tx, 10 * MS, ACK, [71001, 9001, 1001, 2000], 0);
    node.tcp(Tx, 11 * MS, ACK, [71001, 9001, 1001, 2000], 100);
    // Sent by the peer when it had the first of the two, and only then the answer to the second.
    node.tcp(Rx, 12 * MS, ACK, [9001, 71001, 2001, 1001], 500);
    node.tcp(Rx, 16 * MS, ACK, [9501, 71101, 2002, 1001], 0);
    assert!(node.samples().contains(&(100, Remote, Timestamp, 5 * MS / TICK)));
}

#[test]
fn a_flow_that_is_met_half_way_is_timed_at_once() {
    let mut node = Node::new(200, 100);
    node.tcp(Tx, 10 * MS, ACK, [71001, 9001, 1001, 2000], 100);
    node.tcp(Rx, 13 * MS, ACK, [9001, 71101, 2001, 1001], 0);
    assert_eq!(node.samples(), [(100, Remote, Timestamp, 3 * MS / TICK)]);
}

#[test]
fn a_new_connection_with_smaller_tsvals_is_timed() {
    let mut node = Node::new(200, 100);
    connect(&mut node, MS, 500_000);
    node.tcp(Tx, 10 * MS, ACK, [71001, 9001, 500_001, 2000], 100);
    node.tcp(Tx, 20 * MS, ACK, [5_000_001, 9001, 1001, 2000], 100);
    node.tcp(Rx, 22 * MS, ACK, [9001, 5_000_101, 2001, 1001], 0);
    assert!(node.samples().contains(&(100, Remote, Timestamp, 2 * MS / TICK)));
}

#[test]
fn a_packet_without_payload_awaits_nothing() {
    let mut node = Node::new(200, 100);
    connect(&mut node, MS, 1000);
    node.tcp(Tx, 10 * MS, ACK, [71001, 9001, 1001, 2000], 0);
    node.tcp(Rx, 15 * MS, ACK, [9001, 71001, 2001, 1001], 0);
    assert!(node.samples().iter().all(|sample| sample.2 == Handshake));
}

#[test]
fn an_answer_past_the_stamp_is_no_sample_and_closes_it() {
    let mut node = Node::new(200, 100);
    connect(&mut node, MS, 1000);
    node.tcp(Tx, 10 * MS, ACK, [71001, 9001, 1001, 2000], 100);
    node.tcp(Rx, 15 * MS, ACK, [9001, 71101, 2001, 1005], 0);
    node.tcp(Rx, 16 * MS, ACK, [9001, 71101, 2002, 1001], 0);
    assert!(node.samples().iter().all(|sample| sample.2 == Handshake), "{:?}", node.samples());
}

#[test]
fn an_answer_before_the_stamp_leaves_it_open() {
    let mut node = Node::new(200, 100);
    connect(&mut node, MS, 1000);
    node.tcp(Tx, 10 * MS, ACK, [71001, 9001, 1001, 2000], 100);
    node.tcp(Rx, 12 * MS, ACK, [9001, 71001, 2001, 1000], 0);
    node.tcp(Rx, 15 * MS, ACK, [9001, 71101, 2002, 1001], 0);
    assert!(node.samples().contains(&(100, Remote, Timestamp, 5 * MS / TICK)));
}

#[test]
fn clocks_of_two_processors_make_no_negative_sample() {
    for start in START_TIMES.map(|start| start + WRAP) {
        let mut node = Node::new(200, 100);
        node.tcp(Tx, start, SYN, [71000, 0, 1, 0], 0);
        node.tcp(Rx, start - TICK, SYN | ACK, [9000, 71001, 1, 1], 0);
        node.echo(Tx, start, 8, 1);
        node.echo(Rx, start - 1000 * TICK, 0, 1);
        assert_eq!(node.samples(), []);
        connect(&mut node, start, 1000);
        let before = node.samples();
        node.tcp(Tx, start, ACK, [71001, 9001, 1001, 2000], 100);
        node.tcp(Rx, start - TICK, ACK, [9001, 71101, 2001, 1001], 0);
        assert_eq!(node.samples(), before);
    }
}

#[test]
fn half_the_range_of_the_clock_is_too_long_for_a_sample() {
    for start in START_TIMES {
        let mut node = Node::new(200, 100);
        node.echo(Tx, start, 8, 1);
        node.echo(Rx, start + WRAP / 2, 0, 1);
        assert_eq!(node.samples(), []);
    }
}

#[test]
fn a_repeated_packet_has_no_sample() {
    let mut node = Node::new(200, 100);
    node.tcp(Tx, MS, SYN, [71000, 0, 1, 0], 0);
    node.tcp(Tx, 1001 * MS, SYN, [71000, 0, 1001, 0], 0);
    node.tcp(Rx, 1002 * MS, SYN | ACK, [9000, 71001, 1, 1001], 0);
    node.echo(Tx, MS, 8, 1);
    node.echo(Tx, 2 * MS, 8, 1);
    node.echo(Rx, 3 * MS, 0, 1);
    assert_eq!(node.samples(), []);
}

#[test]
fn data_after_a_syn_ack_is_no_answer_to_it() {
    let mut node = Node::new(200, 100);
    node.tcp(Rx, MS, SYN | ACK, [9000, 71001, 1, 1], 0);
    node.tcp(Tx, 500 * MS, ACK, [71001, 9001, 1, 1], 100);
    assert_eq!(node.samples(), []);
}

#[test]
fn a_sample_belongs_to_the_tunnel_of_the_stamped_packet() {
    for (rx_vni, tx_vni) in [(200, 100), (100, 200), (7, 7)] {
        let mut node = Node::new(rx_vni, tx_vni);
        node.echo(Tx, MS, 8, 1);
        node.echo(Rx, 3 * MS, 0, 1);
        assert_eq!(node.samples(), [(tx_vni, Remote, Echo, 2 * MS / TICK)]);
    }
}
