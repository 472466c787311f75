//! Round-trip times in virtual time: known delays come back as samples, and what is ambiguous does not.
//!
//! ```text
//! pod A 10.0.0.1 - node 172.31.7.1 (ours)  ==== VNI 100 ====>  node 172.31.7.2 - pod B 10.0.0.2
//!                                          <=== VNI 200 =====
//! ```
//! What leaves our node is transmitted, what comes is received; A is the client.

use std::net::Ipv4Addr;

use monitor_common::frame::{Direction, Frame};
use monitor_common::heap::HeapTables;
use monitor_common::observe::observe;
use monitor_common::packet::Packet;
use monitor_common::rtt::{Leg, Method};
use tests::frame::parts::{
    ACK, ETHERTYPE_IPV4, GENEVE_PORT, Geneve, ICMP, Ipv4, SYN, TCP, Tcp, UDP, ethernet, icmp, timestamps, udp,
};

use Direction::{Rx, Tx};
use Leg::{Local, Remote};
use Method::{Echo, Handshake, Timestamp};

const MS: u64 = 1_000_000;
/// One tick of the pipeline's clock; and where its 32 bits wrap.
const TICK: u64 = 64;
const WRAP: u64 = TICK << 32;

const START_TIMES: [u64; 4] = [0, 77 * 1_000_000_007, WRAP - 2 * MS, 3 * WRAP - 64];
const DELAYS: [u64; 5] = [TICK, 999_999, 5 * MS, 900 * MS, 130_000 * MS];

/// A sample: the VNI of its tunnel, leg, method, time in ticks.
type Sample = (u32, Leg, Method, u64);

/// Our node, watching.
struct Node {
    tables: HeapTables,
    vnis: [u32; 2],
}

impl Node {
    /// With the VNIs of what is received and transmitted.
    fn new(rx_vni: u32, tx_vni: u32) -> Self {
        Self { tables: HeapTables::with_flows(64), vnis: [rx_vni, tx_vni] }
    }

    fn sees(&mut self, direction: Direction, at_ns: u64, protocol: u8, payload: &[u8]) {
        let (ours, theirs) = (Ipv4Addr::new(172, 31, 7, 1), Ipv4Addr::new(172, 31, 7, 2));
        let (pod, other_pod) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let (outer, inner) = match direction {
            Tx => (Ipv4::new(ours, theirs, UDP), Ipv4::new(pod, other_pod, protocol)),
            Rx => (Ipv4::new(theirs, ours, UDP), Ipv4::new(other_pod, pod, protocol)),
        };
        let frame = ethernet(&[], ETHERTYPE_IPV4, &inner.over(payload));
        let datagram = udp(50000, GENEVE_PORT, &Geneve::new(self.vnis[direction.index()]).over(&frame));
        let bytes = ethernet(&[], ETHERTYPE_IPV4, &outer.over(&datagram));
        let frame = Frame::new(1, direction, bytes.len() as u32);
        observe(&bytes[..], &frame, &mut self.tables, &mut Packet::default(), || at_ns);
    }

    /// A segment with `flags`, sequence and acknowledgment number, TSval and TSecr, and so many bytes of payload.
    fn tcp(&mut self, direction: Direction, at_ns: u64, flags: u16, numbers: [u32; 4], payload: usize) {
        let [sequence, acknowledgment, tsval, tsecr] = numbers;
        let (source, destination) = if direction == Tx { (40000, 443) } else { (443, 40000) };
        let options = timestamps(tsval, tsecr);
        let header = Tcp { source, destination, sequence, acknowledgment, flags, options };
        self.sees(direction, at_ns, TCP, &header.over(&vec![0; payload]));
    }

    fn echo(&mut self, direction: Direction, at_ns: u64, kind: u8, sequence: u32) {
        self.sees(direction, at_ns, ICMP, &icmp(kind, 0, 7 << 16 | sequence, &[0; 24]));
    }

    /// The samples so far; of several in one place the sum of their times.
    fn samples(&mut self) -> Vec<Sample> {
        let mut found = vec![];
        for (_, tunnel, counters) in self.tables.tracked() {
            for (leg, methods) in Leg::ALL.into_iter().zip(counters.matches) {
                for (method, matches) in Method::ALL.into_iter().zip(methods) {
                    if matches.count > 0 {
                        found.push((tunnel.vni(), leg, method, matches.sum_ns / TICK));
                    }
                }
            }
        }
        found.sort_unstable();
        found
    }
}

/// Start, delay, and the ticks that lie between the two times.
fn cases() -> impl Iterator<Item = (u64, u64, u64)> {
    let pairs = START_TIMES.into_iter().flat_map(|start| DELAYS.map(|delay| (start, delay)));
    pairs.map(|(start, delay)| (start, delay, (start + delay) / TICK - start / TICK))
}

/// SYN, SYN-ACK, ACK without delays, so that the flow exists; timestamps are `tsval` and `tsval + 1000`.
fn connect(node: &mut Node, at_ns: u64, tsval: u32) {
    let theirs = tsval.wrapping_add(1000);
    node.tcp(Tx, at_ns, SYN, [71000, 0, tsval, 0], 0);
    node.tcp(Rx, at_ns, SYN | ACK, [9000, 71001, theirs, tsval], 0);
    node.tcp(Tx, at_ns, ACK, [71001, 9001, tsval, theirs], 0);
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
