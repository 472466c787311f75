//! A device reads the same before tunmon came and after it went, to the byte, and so does the one behind it.

use tests::calm::{self, Mode, Pair};
use tests::tunmon::Tunmon;

use super::support;

fn assert_restored([during, after]: [String; 2]) {
    assert_ne!(during, "", "the snapshots do not see tunmon");
    assert_eq!(after, "");
}

#[test]
fn a_device_reads_the_same_after_each_mode_was_detached() {
    if support::skips() {
        return;
    }
    let mut kernel = support::load();
    for mode in Mode::ALL {
        let pair = Pair::create().unwrap();
        let attach = || mode.attach(&mut kernel, pair.places()[0]);
        let detach = |attachment| {
            drop(attachment);
            Ok(())
        };
        assert_restored(calm::around(pair.places(), attach, detach).unwrap());
    }
}

fn check_ended_by(signal: i32) {
    if support::skips() {
        return;
    }
    for mode in Mode::ALL {
        let pair = Pair::create().unwrap();
        let start = || Tunmon::start(pair.places()[0].namespace, calm::DEVICE, mode.arguments());
        let stop = |tunmon: Tunmon| tunmon.stop_by(signal)?.summary().map(drop);
        assert_restored(calm::around(pair.places(), start, stop).unwrap());
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
