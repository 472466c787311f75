//! No packet of a stream is lost, overtaken or changed while programs come and go at both of its ends.

use monitor::bpf::Kernel;
use monitor_common::packet::Class;
use tests::calm::{Cycles, Mode, Pair, Place};
use tests::needs;

use super::support;

const CYCLES: Cycles = Cycles { count: 100, packets: 25, rate: 6000 };
const PACKETS: u64 = CYCLES.count as u64 * CYCLES.packets;

fn check(mode: Mode) {
    if support::skips() {
        return;
    }
    let mut kernel = support::load();
    let pair = Pair::create().unwrap();
    let outcomes = CYCLES.run(&mut kernel, pair.places(), mode).unwrap();
    println!("{mode:?}: {outcomes:?}");
    for outcome in &outcomes {
        assert!(outcome.is_whole() && outcome.received > PACKETS, "{mode:?}: {outcomes:?}");
    }
    for place in pair.places() {
        assert_seen(&kernel, place);
    }
}

/// Proves that the programs saw the streams while they were attached, both ways, and went the long way too.
fn assert_seen(kernel: &Kernel, place: Place<'_>) {
    let classes = kernel.counts(place.index().unwrap()).unwrap().totals.classes;
    for seen in classes {
        let [other, geneve, fragment] =
            [Class::Other, Class::Geneve, Class::Fragment].map(|class| seen[class as usize]);
        assert!(other.min(geneve) >= PACKETS && fragment > 0, "{classes:?}");
    }
}

#[test]
fn no_packet_is_lost_while_native_xdp_comes_and_goes() {
    check(Mode::Native);
}

#[test]
fn no_packet_is_lost_while_generic_xdp_comes_and_goes() {
    check(Mode::Generic);
}

#[test]
fn no_packet_is_lost_while_tc_comes_and_goes() {
    check(Mode::Tc);
}

/// The place of the proof for an exchange of the programs in an attachment that stays: as [`check`], with the exchange in
/// place of attaching and detaching.
#[test]
fn no_packet_is_lost_while_programs_are_exchanged() {
    needs::skip("tunmon does not exchange programs that are attached");
}
