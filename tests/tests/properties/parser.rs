//! The parser survives every frame, and its offsets stay inside.

use monitor::counts::Counts;
use monitor_common::frame::{Direction, Frame};
use monitor_common::heap::HeapTables;
use monitor_common::observe::observe;
use monitor_common::packet::{self, Class, Ip, Packet};
use monitor_common::wire::geneve::Ports;
use tests::frame::{Rng, base_packets, mutate, random_frame};

fn parse(bytes: &[u8], length: usize) -> Packet {
    let mut frame = Frame::new(1, Direction::Rx, length as u32);
    frame.captured = bytes.len() as u32;
    let mut packet = Packet::default();
    packet::parse(bytes, &frame, Ports::new(&[6081]), &mut packet);
    packet
}

/// Every header that the packet says was read lies in the bytes, and the innermost payload in the frame.
fn assert_inside(packet: &Packet, bytes: &[u8], length: usize) {
    let ends = |ip: &Ip| match ip.version {
        0 => 0,
        4 => ip.offset + 20,
        _ => ip.offset + 40,
    };
    let after = |offset: u16, size: u16| if offset == 0 { 0 } else { offset + size };
    let read = [
        ends(&packet.outer),
        ends(&packet.inner),
        ends(&packet.quote.ip),
        after(packet.geneve_offset, 8),
        after(packet.inner_ethernet, 14),
    ];
    for end in read {
        assert!(usize::from(end) <= bytes.len(), "a header ends at {end} of {}: {packet:?}", bytes.len());
    }
    assert!(usize::from(packet.inner_payload) <= length, "the payload begins past {length}: {packet:?}");
    let is_ordered = packet.inner.version == 0 || packet.inner.offset > packet.geneve_offset;
    assert!(is_ordered && packet.overhead() < 1024, "{packet:?}");
    assert_eq!(packet.malformed().is_some(), packet.class() == Class::Malformed);
}

#[test]
fn the_base_packets_are_what_their_names_say() {
    let classes: Vec<_> = base_packets().iter().map(|(_, bytes)| parse(bytes, bytes.len()).class()).collect();
    let mut expected = [Class::Geneve; 12];
    (expected[9], expected[10]) = (Class::Fragment, Class::IcmpError);
    assert_eq!(classes, expected);
    let stops: Vec<_> = base_packets().iter().map(|(_, bytes)| parse(bytes, bytes.len()).stop()).collect();
    assert!(stops.iter().all(Option::is_none), "{stops:?}");
}

#[test]
fn every_truncation_of_the_base_packets_is_survived() {
    for (_, whole) in base_packets() {
        for length in 0..=whole.len() {
            let bytes = &whole[..length];
            assert_inside(&parse(bytes, length), bytes, length);
            let captured = parse(bytes, whole.len());
            assert_inside(&captured, bytes, whole.len());
            assert!(captured.malformed().is_none(), "what was not captured is no fault: {captured:?}");
        }
    }
}

#[test]
fn damaged_and_meaningless_frames_are_survived() {
    let mut rng = Rng::new(7);
    let mut tables = HeapTables::with_flows(64);
    let base = base_packets();
    for round in 0..60_000 {
        let mut bytes = match round % 3 {
            0 => base[rng.below(base.len())].1.clone(),
            1 => random_frame(&mut rng),
            _ => {
                let length = rng.below(600);
                rng.bytes(length)
            }
        };
        mutate(&mut rng, &mut bytes);
        let length = bytes.len() + if rng.once_in(4) { rng.below(100_000) } else { 0 };
        assert_inside(&parse(&bytes, length), &bytes, length);
        let frame = Frame::new(1, Direction::Tx, length as u32);
        observe(&bytes[..], &frame, &mut tables, &mut Packet::default(), || round);
        while tables.next_event().is_some() {}
    }
    let counts = Counts::of(&tables, 1);
    let classes = &counts.totals.classes[1];
    assert_eq!(classes.iter().sum::<u64>(), 60_000);
    assert!(classes.iter().all(|count| *count > 0), "each class was met: {classes:?}");
}
