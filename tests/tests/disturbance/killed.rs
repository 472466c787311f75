//! A tunmon that is killed leaves nothing: neither at its device nor in the kernel.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use tests::bpf::{self, Kind};
use tests::calm::{self, Pair, Snapshot};
use tests::tunmon::Tunmon;
use tests::{needs, wait};

use super::support::{self, Count};

/// To start one takes a second of a processor, most of which the kernel spends on verifying the programs.
const KILLS: Count = Count { usual: 16, full: 100 };
const SOON: Duration = Duration::from_secs(1);

/// Kills one at its device, and proves that within [`SOON`] nothing is left of it. Returns how long that took.
fn kill(pair: &Pair, before: &Snapshot) -> Duration {
    let place = pair.places()[0];
    let mut tunmon = Tunmon::start(place.namespace, calm::DEVICE, "").unwrap();
    let held = bpf::held_by(tunmon.pid()).unwrap();
    let kinds: BTreeSet<Kind> = held.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, Kind::ALL.into(), "{held:?}");
    tunmon.signal(libc::SIGKILL).unwrap();
    let start = Instant::now();
    wait::until("all of it to be gone", SOON, || {
        let is_left = held.iter().any(|object| bpf::exists(*object).unwrap());
        Ok((!is_left).then_some(()))
    })
    .unwrap();
    let took = start.elapsed();
    assert_eq!(Snapshot::take(place).unwrap().since(before), "");
    took
}

#[test]
fn nothing_is_left_a_second_after_tunmon_was_killed() {
    if support::skips() {
        return;
    }
    if !calm::has_tcx() {
        needs::skip("this kernel has no TCX: a filter in clsact stays");
        return;
    }
    let one_after_the_other = || {
        let pair = Pair::create().unwrap();
        let before = Snapshot::take(pair.places()[0]).unwrap();
        (0..KILLS.get() / 2).map(|_| kill(&pair, &before)).max()
    };
    let longest = thread::scope(|scope| {
        let other = scope.spawn(one_after_the_other);
        one_after_the_other().max(other.join().unwrap())
    });
    println!("{} kills, of which nothing was left after {longest:?} at most", KILLS.get());
}
