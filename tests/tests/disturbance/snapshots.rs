//! A device reads the same before tunmon came and after it went, to the byte, and so does the one behind it.

use tests::calm::{self, Mode, Pair, Snapshot};
use tests::tunmon::Tunmon;

use super::support;

fn snapshots(pair: &Pair) -> [Snapshot; 2] {
    pair.places().map(|place| Snapshot::take(place).unwrap())
}

/// Looks at both ends before and after; `attached` attaches to the first, looks at both, and detaches.
fn check(attached: impl FnOnce(&Pair) -> [Snapshot; 2]) {
    let pair = Pair::create().unwrap();
    let before = snapshots(&pair);
    let between = attached(&pair);
    let after = snapshots(&pair);
    assert_ne!(calm::changes(&between, &before), "", "the snapshots do not see tunmon");
    assert_eq!(calm::changes(&after, &before), "");
}

#[test]
fn a_device_reads_the_same_after_each_mode_was_detached() {
    if support::skips() {
        return;
    }
    let mut kernel = support::load();
    for mode in Mode::ALL {
        check(|pair| {
            let attachment = support::attach(&mut kernel, pair.places()[0], mode);
            let between = snapshots(pair);
            drop(attachment);
            between
        });
    }
}

fn check_ended_by(signal: i32) {
    if support::skips() {
        return;
    }
    for mode in Mode::ALL {
        check(|pair| {
            let tunmon = Tunmon::start(pair.places()[0].namespace, calm::DEVICE, mode.arguments()).unwrap();
            let between = snapshots(pair);
            tunmon.stop_by(signal).unwrap().summary().unwrap();
            between
        });
    }
}

#[test]
fn a_device_reads_the_same_after_tunmon_was_interrupted() {
    check_ended_by(libc::SIGINT);
}

#[test]
fn a_device_reads_the_same_after_tunmon_was_terminated() {
    check_ended_by(libc::SIGTERM);
}
