//! The short way (`fast`) leaves exactly what the long one leaves, whatever the frame.

use monitor_common::frame::{Direction, Frame};
use monitor_common::heap::HeapTables;
use monitor_common::observe;
use monitor_common::packet::Packet;
use monitor_common::wire::geneve::Ports;
use tests::frame::{Rng, base_packets, mutate, random_frame};

const SEQUENCES: u64 = 1000;
const FRAMES: usize = 200;

/// A frame on its way through the pipeline.
struct Step {
    bytes: Vec<u8>,
    frame: Frame,
    now_ns: u64,
}

fn long_way(step: &Step, tables: &mut HeapTables) {
    observe::long_way(&step.bytes[..], &step.frame, tables, &mut Packet::default(), step.now_ns);
}

/// Returns whether the short way did it.
fn short_way_first(step: &Step, tables: &mut HeapTables) -> bool {
    !observe::observe(&step.bytes[..], &step.frame, tables, &mut Packet::default(), || step.now_ns)
}

/// Tables that are sometimes so small that tunnels find no slot, flows are evicted and the ring runs full.
fn tables(rng: &mut Rng) -> HeapTables {
    let (seed, tunnels, capacity) = (rng.number(), rng.pick(&[16, 256]), rng.pick(&[10, usize::MAX]));
    HeapTables::new(Ports::new(&[6081, 4789]), seed, tunnels, 16, capacity)
}

fn frame(rng: &mut Rng, bytes: &[u8]) -> Frame {
    let captured = bytes.len() as u32;
    let direction = if rng.once_in(2) { Direction::Rx } else { Direction::Tx };
    let mut frame = Frame::new(rng.pick(&[1, 1, 1, 2]), direction, captured);
    match rng.below(12) {
        0 => frame.length += rng.below(2000) as u32,
        1 => (frame.segment_size, frame.segments) = (rng.pick(&[1, 20, 1400]), rng.below(4) as u32),
        2 => frame.segments = 1 + rng.below(4) as u32,
        3 => frame.tag = 0x1_0000 | rng.number() as u32 & 0xffff,
        4 => frame.length = 70_000,
        _ => {}
    }
    frame
}

fn sequence(seed: u64) -> (HeapTables, Vec<Step>) {
    let mut rng = Rng::new(seed);
    let tables = tables(&mut rng);
    // Now and then the clock's 32 bits of ticks wrap in the middle.
    let mut now_ns = if rng.once_in(4) { (1 << 38) - 20_000_000 } else { rng.number() >> 20 };
    let steps = (0..FRAMES).map(|_| {
        let mut bytes = random_frame(&mut rng);
        if rng.once_in(6) {
            mutate(&mut rng, &mut bytes);
        }
        now_ns += rng.pick(&[0, 64, 1000, 400_000, 400_000, 3_000_000, 2_000_000_000]);
        Step { frame: frame(&mut rng, &bytes), bytes, now_ns }
    });
    let steps = steps.collect();
    (tables, steps)
}

/// The first step after which the tables differ.
fn first_difference(tables: &HeapTables, steps: &[Step]) -> usize {
    let (mut short, mut long) = (tables.clone(), tables.clone());
    let differs = |step| {
        short_way_first(step, &mut short);
        long_way(step, &mut long);
        short != long
    };
    steps.iter().position(differs).expect("the tables differ in the end")
}

#[test]
fn fast_equals_full() {
    let (mut accepted, mut events) = (0, 0);
    for seed in 0..SEQUENCES {
        let (tables, steps) = sequence(seed);
        let (mut short, mut long) = (tables.clone(), tables.clone());
        for step in &steps {
            accepted += usize::from(short_way_first(step, &mut short));
            long_way(step, &mut long);
        }
        if short != long {
            let at = first_difference(&tables, &steps);
            panic!("seed {seed}, frame {at}: {:?}\n{:02x?}", steps[at].frame, steps[at].bytes);
        }
        events += std::iter::from_fn(|| short.next_event()).count();
    }
    let frames = SEQUENCES as usize * FRAMES;
    println!("{frames} frames, {accepted} by the short way, {events} events");
    assert!(accepted > frames / 8 && accepted < frames * 4 / 5, "{accepted} of {frames} went the short way");
    assert!(events > 8_000, "only {events} events");
}

#[test]
fn fast_equals_full_on_every_truncation_of_the_base_packets() {
    for (name, whole) in base_packets() {
        for length in 0..=whole.len() {
            for is_cut_on_the_wire in [false, true] {
                let bytes = whole[..length].to_vec();
                let on_the_wire = if is_cut_on_the_wire { length } else { whole.len() } as u32;
                let step = Step { frame: Frame::new(1, Direction::Rx, on_the_wire), bytes, now_ns: 1 };
                let intact =
                    Step { frame: Frame::new(1, Direction::Rx, whole.len() as u32), bytes: whole.clone(), now_ns: 0 };
                let (mut short, mut long) = (HeapTables::with_flows(4), HeapTables::with_flows(4));
                for step in [&intact, &step] {
                    short_way_first(step, &mut short);
                    long_way(step, &mut long);
                }
                assert!(short == long, "{name} cut to {length} bytes, on the wire: {is_cut_on_the_wire}");
            }
        }
    }
}
