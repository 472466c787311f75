use std::net::Ipv4Addr;

use monitor_common::event::Head;
use monitor_common::packet::Address;

use super::*;

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1000 * SECOND;

fn pod(last: u8) -> Address {
    Address::from(Ipv4Addr::new(10, 0, 0, last))
}

fn tunnel() -> Tunnel {
    let ends = [[198, 51, 100, 2], [192, 0, 2, 1]].map(u32::from_ne_bytes).map(u64::from);
    Tunnel::v4(1, 100, ends[1] << 32 | ends[0], Direction::Rx)
}

/// A step of data that was sent first at `START`, to pod 2; times in milliseconds.
fn step(step: Step, at_ms: u64, times: u32, length: u32) -> Retransmit {
    Retransmit {
        head: Head { at_ns: START + at_ms * 1_000_000, ..Head::default() },
        source: pod(1),
        destination: pod(2),
        age_ns: at_ms * 1_000_000,
        heard_ns: u64::MAX,
        length,
        times,
        protocol: tcp::PROTOCOL,
        step: step as u8,
        direction: Direction::Tx as u8,
        ..Retransmit::default()
    }
}

/// A packet to pod `last` has been answered.
fn sample(at_ms: u64, last: u8, length: u16) -> Rtt {
    let way = Leg::Remote as u8 | (Method::Timestamp as u8) << 1;
    let head = Head { at_ns: START + at_ms * 1_000_000, ..Head::default() };
    Rtt { head, source: pod(1), destination: pod(last), length, way, ..Rtt::default() }
}

fn only(holes: &Holes, at_ms: u64) -> Hole {
    let [hole] = holes.all(START + at_ms * 1_000_000, |_| None).try_into().unwrap();
    hole
}

#[test]
fn what_arrives_after_the_hole_has_opened_confirms_later_retransmissions() {
    let mut holes = Holes::default();
    holes.sample(&sample(0, 3, 1488), &tunnel());
    holes.step(&step(Step::SentAgain, 200, 1, 1550), &tunnel());
    assert_eq!((only(&holes, 300).confirmed_times, only(&holes, 300).delivered_since_bytes), (0, None));
    assert_eq!(only(&holes, 300).delivered_lately_bytes, Some(1488));
    holes.sample(&sample(400, 3, 240), &tunnel());
    holes.step(&step(Step::SentAgain, 600, 2, 1550), &tunnel());
    holes.sample(&sample(900, 3, 240), &tunnel());
    holes.step(&step(Step::SentAgain, 1400, 3, 1550), &tunnel());
    let hole = only(&holes, 2000);
    assert_eq!((hole.times, hole.confirmed_times, hole.length_bytes), (3, 2, Some(1550)));
    assert_eq!((hole.delivered_since_bytes, hole.is_receiver_there), (Some(240), false));
    holes.sample(&sample(2100, 2, 240), &tunnel());
    assert!(only(&holes, 2200).is_receiver_there, "pod 2 has answered something");
    assert!((only(&holes, 2200).age_seconds - 2.2).abs() < 1e-9);
}

#[test]
fn an_outage_that_begins_right_behind_a_short_packet_confirms_nothing() {
    let mut holes = Holes::default();
    holes.sample(&sample(1, 3, 96), &tunnel());
    for (at, times) in [(200, 1), (600, 2), (1400, 3), (3000, 4)] {
        holes.step(&step(Step::SentAgain, at, times, 1550), &tunnel());
    }
    let hole = only(&holes, 3100);
    assert_eq!((hole.delivered_since_bytes, hole.confirmed_times), (Some(96), 1));
}

#[test]
fn what_is_acknowledged_is_no_hole_and_was_delivered() {
    let mut holes = Holes::default();
    holes.step(&step(Step::SentAgain, 200, 1, 1550), &tunnel());
    holes.step(&step(Step::Acknowledged, 210, 1, 0), &tunnel());
    assert_eq!(holes.all(START + SECOND, |_| None), []);
    let other = Retransmit { source: pod(9), ..step(Step::SentAgain, 200, 1, 1550) };
    holes.step(&other, &tunnel());
    assert_eq!(only(&holes, 300).delivered_since_bytes, Some(1550));
}

#[test]
fn a_sender_that_gives_up_a_length_is_remembered() {
    let mut holes = Holes::default();
    for (at, times, length) in [(200, 1, 1550), (600, 2, 1550), (1400, 3, 1550), (1500, 4, 1074)] {
        holes.step(&step(Step::SentAgain, at, times, length), &tunnel());
    }
    holes.step(&step(Step::Acknowledged, 1510, 4, 0), &tunnel());
    let hole = only(&holes, 1600);
    assert!(hole.is_closed);
    assert_eq!((hole.given_up_length_bytes, hole.length_bytes), (Some(1550), Some(1074)));
    assert_eq!(hole.delivered_since_bytes, Some(1074));
}

#[test]
fn a_receiver_that_spoke_a_moment_before_was_there() {
    let heard = |heard_ms: u64| {
        let mut holes = Holes::default();
        holes.step(&Retransmit { heard_ns: heard_ms * 1_000_000, ..step(Step::SentAgain, 600, 1, 1550) }, &tunnel());
        only(&holes, 700).is_receiver_there
    };
    assert!(heard(601) && heard(2600));
    assert!(!heard(2601));
}

#[test]
fn missing_data_has_the_length_of_what_the_connection_may_send() {
    let mut holes = Holes::default();
    let missing = |missing| Retransmit { missing, direction: Direction::Rx as u8, ..step(Step::Missing, 0, 0, 0) };
    for (bytes, length) in [(9000, 1550), (1448, 1550), (1000, 1102)] {
        holes.step(&missing(bytes), &tunnel());
        let [hole] = holes.all(START, |_| Some([1460, 1550])).try_into().unwrap();
        assert_eq!((hole.missing_bytes, hole.length_bytes), (bytes, Some(length)));
    }
}

#[test]
fn a_flood_of_flows_is_bounded_and_silence_is_forgotten() {
    let mut holes = Holes::default();
    for flow in 0..3 * MOST as u32 {
        let source = Address::from(Ipv4Addr::from(0x0b00_0000 + flow));
        holes.step(&Retransmit { source, ..step(Step::SentAgain, 200, 1, 1550) }, &tunnel());
    }
    assert_eq!(holes.all(START, |_| None).len(), MOST);
    holes.begin(START + 61 * SECOND);
    assert_eq!(holes.all(START, |_| None), []);
    assert!(holes.answered.is_empty());
}

#[test]
fn an_answer_has_come_as_well() {
    let mut holes = Holes::default();
    let missing = Retransmit { missing: 3000, direction: Direction::Rx as u8, ..step(Step::Missing, 0, 0, 0) };
    holes.step(&missing, &tunnel());
    for at in 1..20 {
        holes.sample(&sample(200 * at, 3, 240), &tunnel());
    }
    let hole = only(&holes, 4000);
    assert_eq!(hole.delivered_since_bytes, Some(SHORTEST));
    assert!(hole.steady_seconds > 3.5, "{}", hole.steady_seconds);
    let echo = Rtt { way: Leg::Remote as u8 | (Method::Echo as u8) << 1, ..sample(3900, 3, 256) };
    holes.sample(&echo, &tunnel());
    assert_eq!(only(&holes, 4000).delivered_since_bytes, Some(240));
}
