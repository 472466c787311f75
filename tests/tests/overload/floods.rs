//! Floods in the loaded programs, whose rings nobody reads until they are full.

use std::time::{Duration, Instant};

use monitor::bpf::{Kernel, Sizes};
use monitor_common::count::Totals;
use monitor_common::event::{KINDS, Kind};
use monitor_common::frame::Direction;

use super::{has_rights, sources};

/// A test run's frame comes in on `lo`.
const DEVICE: u32 = 1;
/// Events of each other kind that come in the middle of a flood; fewer than the limit allows in one period.
const FEW: u64 = 12;

/// Shows the frames of one event to the programs; returns their number.
fn show(kernel: &Kernel, kind: Kind) -> u64 {
    let frames = sources::of(kind, totals(kernel).events[kind as usize].wanted);
    for (direction, bytes) in &frames {
        let program = match direction {
            Direction::Rx => "tunmon_xdp",
            Direction::Tx => "tunmon_tc_tx",
        };
        kernel.test_run(program, bytes, None).unwrap();
    }
    frames.len() as u64
}

fn totals(kernel: &Kernel) -> Totals {
    kernel.counts(DEVICE).unwrap().totals
}

/// Shows events of this kind until its ring has turned some away; returns the number of frames.
fn flood(kernel: &Kernel, kind: Kind) -> u64 {
    let (mut frames, before) = (0, totals(kernel).events[kind as usize].ring_full);
    let end = Instant::now() + Duration::from_secs(20);
    while totals(kernel).events[kind as usize].ring_full < before + 32 {
        assert!(Instant::now() < end, "the ring of {kind:?} does not fill up: {:?}", totals(kernel).events);
        frames += (0..64).map(|_| show(kernel, kind)).sum::<u64>();
    }
    frames
}

#[test]
fn a_full_ring_of_one_kind_hides_no_other() {
    if !has_rights() {
        return;
    }
    for kind in sources::KINDS_OF_FRAMES {
        let mut ring_bytes = [1 << 17; KINDS];
        ring_bytes[kind as usize] = 4096;
        let mut kernel = Kernel::load(&[6081], Sizes { ring_bytes, ..Sizes::new(16, 16, 1024, 1) }, 7).unwrap();
        let mut events = kernel.take_events().unwrap();
        let mut frames = flood(&kernel, kind);
        let others = || sources::KINDS_OF_FRAMES.into_iter().filter(|other| *other != kind);
        for _ in 0..FEW {
            frames += others().map(|other| show(&kernel, other)).sum::<u64>();
        }
        frames += flood(&kernel, kind);
        let mut read = [0; KINDS];
        events.drain(|event| read[usize::from(event.head().kind)] += 1);
        let totals = totals(&kernel);
        for other in others() {
            let outcome = totals.events[other as usize];
            assert_eq!((outcome.wanted, outcome.submitted), (FEW, FEW), "{other:?} in a flood of {kind:?}");
        }
        assert_eq!(totals.classes.as_flattened().iter().sum::<u64>(), frames, "every packet is counted");
        assert_eq!(totals.events.map(|outcome| outcome.submitted), read, "what was submitted is read");
        for outcome in totals.events {
            assert_eq!(outcome.wanted, outcome.submitted + outcome.ring_full + outcome.rate_limited);
        }
        // Once read, the ring takes events again, and fills up again.
        flood(&kernel, kind);
        assert!(kernel.totals(DEVICE).unwrap().events[kind as usize].submitted > read[kind as usize]);
        assert_eq!(events.decode_errors, [0; KINDS]);
    }
}
