//! Rings of one page, while two processors make events as fast as they can and somebody reads them.

use std::array;
use std::thread;
use std::time::Duration;

use monitor::bpf::{Kernel, OBJECT, Sizes, load};
use monitor::counts::Counts;
use monitor_common::event::{KINDS, Kind};
use monitor_common::frame::Direction;
use monitor_common::packet::Class;
use monitor_common::packet::class::CLASSES;
use tests::load::usage;
use tests::needs;

use super::programs::{DEVICE, Programs};
use super::{has_rights, sources};

/// What each processor does so many times.
const ROUNDS: u32 = 400;
/// Frames of one kind in a row.
const TIMES: u32 = 1000;
/// Pings in a round.
const PINGS: u32 = 50;
/// Between two looks of the reader.
const PACE: Duration = Duration::from_millis(20);

/// Shows one processor's frames of all kinds.
fn load_processor(programs: Programs<'_>, processor: usize) {
    usage::pin(0, processor).unwrap();
    let frames = ["first_outer_fragment", "icmp_error", "data_plain"].map(|name| (Direction::Rx, sources::base(name)));
    for round in 0..ROUNDS {
        frames.iter().for_each(|frame| programs.show(frame, TIMES));
        (0..PINGS).for_each(|number| ping(programs, round * PINGS + number));
    }
}

fn ping(programs: Programs<'_>, number: u32) {
    sources::of(Kind::Rtt, u64::from(number)).iter().for_each(|frame| programs.show(frame, 1));
}

/// Checks all counts against what two processors have shown, and the events against what was read.
fn check(counts: &Counts, read: [u64; KINDS]) {
    let (made, pings) = (2 * u64::from(ROUNDS * TIMES), 2 * u64::from(ROUNDS * PINGS) + 1);
    let mut classes = [0; CLASSES];
    (classes[Class::Geneve as usize], classes[Class::IcmpError as usize]) = (2 * made + 2 * pings, made);
    let [received, sent] = counts.totals.classes;
    assert_eq!(array::from_fn(|class| received[class] + sent[class]), classes);
    let tunnels = counts.tunnels.iter().flat_map(|one| one.counters.matches.as_flattened());
    let matches: u64 = tunnels.map(|matches| matches.count).sum();
    let buckets: u64 = counts.distributions.values().map(|histogram| histogram.total()).sum();
    assert_eq!((matches, counts.issued.shared_samples), (buckets, 0));
    let events = &counts.totals.events;
    // Both processors send one ping, so that one may seem to be late.
    let late = events[Kind::Retransmit as usize].wanted;
    assert_eq!(events.map(|outcome| outcome.wanted), [matches, made, made, late, 0, 0]);
    assert_eq!(events.map(|outcome| outcome.submitted), read);
    for (kind, outcome) in Kind::ALL.into_iter().zip(events).take(3) {
        println!("{kind:?}: {outcome:?}");
        assert_eq!(outcome.wanted, outcome.submitted + outcome.ring_full + outcome.rate_limited, "{kind:?}");
        assert!(outcome.ring_full > 0 && outcome.submitted > 0, "{kind:?}: {outcome:?}");
    }
}

#[test]
fn rings_of_a_page_stay_exact_while_two_processors_fill_them() {
    if !has_rights() {
        return;
    }
    let processors = match usage::two_processors() {
        Ok(processors) => processors,
        Err(reason) => return needs::skip(&reason.to_string()),
    };
    for is_limited in [true, false] {
        let sizes = Sizes { ring_bytes: [4096; KINDS], ..Sizes::new(16, 16, 1024, load::processors().unwrap()) };
        let mut kernel = Kernel::load_object(OBJECT, &[6081], sizes, 7, is_limited).unwrap();
        let mut events = kernel.take_events().unwrap();
        let programs = Programs::of(&kernel);
        // Makes the flow, so that it is not made twice at once.
        ping(programs, 0);
        let mut read = [0; KINDS];
        let mut look = || events.drain(|event| read[usize::from(event.head().kind)] += 1);
        thread::scope(|scope| {
            let loads = processors.map(|processor| scope.spawn(move || load_processor(programs, processor)));
            while !loads.iter().all(|load| load.is_finished()) {
                thread::sleep(PACE);
                look();
            }
        });
        look();
        assert_eq!(events.decode_errors, [0; KINDS]);
        check(&kernel.counts_with_histograms(DEVICE).unwrap(), read);
    }
}
