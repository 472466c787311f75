//! Floods in virtual time, over tables in memory: no clock, no kernel, no chance.

use monitor_common::count::totals::Outcome;
use monitor_common::event::{Any, KINDS, Kind};
use monitor_common::frame::Frame;
use monitor_common::heap::HeapTables;
use monitor_common::observe::observe;
use monitor_common::packet::Packet;
use monitor_common::wire::geneve::{PORT, Ports};

use super::sources;

const DEVICE: u32 = 1;
/// Events that a ring has room for.
const ROOM: usize = 64;
/// A period of the limit on rates.
const PERIOD_NS: u64 = 1 << 20;

/// Shows the frames of one event.
fn show(tables: &mut HeapTables, kind: Kind, device: u32, now_ns: u64) {
    for (direction, bytes) in sources::of(kind, now_ns / 10_000) {
        let frame = Frame::new(device, direction, bytes.len() as u32);
        observe(&bytes[..], &frame, tables, &mut Packet::default(), || now_ns);
    }
}

fn outcome(tables: &HeapTables, device: u32, kind: Kind) -> Outcome {
    tables.totals_of(device).events[kind as usize]
}

fn tables() -> HeapTables {
    HeapTables::new(Ports::new(&[PORT]), 7, 1024, 1024, ROOM)
}

/// A flood of `flood` in 40 periods, 100 events in each, and one event of each other kind.
fn flooded(flood: Kind, mut look: impl FnMut(&mut HeapTables)) -> HeapTables {
    let mut tables = tables();
    for period in 1..=40 {
        for event in 0..100 {
            show(&mut tables, flood, DEVICE, period * PERIOD_NS + event * 10_000);
        }
        for kind in sources::KINDS_OF_FRAMES.into_iter().filter(|kind| *kind != flood) {
            show(&mut tables, kind, DEVICE, period * PERIOD_NS + 1_020_000);
        }
        look(&mut tables);
    }
    tables
}

#[test]
fn a_flood_hides_no_other_kind_while_nobody_reads() {
    for flood in sources::KINDS_OF_FRAMES {
        let tables = flooded(flood, |_| ());
        for kind in sources::KINDS_OF_FRAMES {
            let fate = outcome(&tables, DEVICE, kind);
            assert_eq!(fate.wanted, fate.submitted + fate.ring_full + fate.rate_limited, "{kind:?}");
            if kind == flood {
                assert_eq!((fate.wanted, fate.submitted, fate.ring_full), (4000, ROOM as u64, 640 - ROOM as u64));
            } else {
                assert_eq!((fate.wanted, fate.submitted), (40, 40), "{kind:?} in a flood of {flood:?}");
            }
        }
    }
}

#[test]
fn a_reader_in_time_gets_all_that_the_limit_allows() {
    for flood in sources::KINDS_OF_FRAMES {
        let mut read = [0; KINDS];
        let mut take = |event: Any| read[usize::from(event.head().kind)] += 1;
        let tables = flooded(flood, |tables| std::iter::from_fn(|| tables.next_event()).for_each(&mut take));
        for kind in sources::KINDS_OF_FRAMES {
            let fate = outcome(&tables, DEVICE, kind);
            assert_eq!(fate.ring_full, 0);
            assert_eq!(read[kind as usize], if kind == flood { 640 } else { 40 }, "{kind:?} in a flood of {flood:?}");
        }
    }
}

#[test]
fn a_flood_on_one_device_takes_nothing_from_another_ones_limit() {
    let mut tables = tables();
    for event in 0..1000 {
        show(&mut tables, Kind::Fragment, DEVICE, PERIOD_NS + event);
    }
    show(&mut tables, Kind::Fragment, DEVICE + 1, PERIOD_NS + 1000);
    assert_eq!(outcome(&tables, DEVICE, Kind::Fragment).rate_limited, 984);
    assert_eq!(outcome(&tables, DEVICE + 1, Kind::Fragment).submitted, 1);
}
