//! No packet of a stream is lost, overtaken or changed while programs come and go at both of its ends.

use monitor::bpf::{Kernel, Pins};
use monitor::device::Device;
use monitor_common::packet::Class;
use tests::bpffs::Bpffs;
use tests::calm::{Cycles, DEVICE, Mode, Outcome, Pair, Place, Streams};
use tests::{netns, process};

use super::support::{self, Count};

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

/// Exchanges the programs in attachments that stay, as a tunmon does that is started where another one was.
///
/// Exact: the streams run on all the time, and each packet that came is counted, so no program missed one.
fn exchange(mode: Mode, count: Count) {
    if support::skips() {
        return;
    }
    process::own_descriptors().unwrap();
    let files = Bpffs::mount().unwrap();
    let pair = Pair::create().unwrap();
    let [place, _] = pair.places();
    let load = || {
        let pins = Pins::open(&files.join("pins")).unwrap();
        let _inside = place.namespace.enter().unwrap();
        let mut kernel = Kernel::load_pinned(&[6081], support::sizes(), pins).unwrap();
        kernel.resume(&[Device::named(DEVICE).unwrap()]).unwrap();
        let attachment = kernel.attach(&Device::named(DEVICE).unwrap(), mode.ingress()).unwrap();
        assert_eq!([attachment.ingress, attachment.egress], mode.hooks());
        kernel.resumed().unwrap();
        (kernel, attachment)
    };
    let mut held = load();
    let before = netns::traffic(place.namespace, DEVICE).unwrap();
    let streams = Streams::start(pair.places(), CYCLES.rate).unwrap();
    for _ in 0..count.get() {
        drop(held);
        held = load();
        streams.pass(CYCLES.packets).unwrap();
    }
    let outcomes = streams.stop().unwrap();
    println!("{mode:?}: {outcomes:?}");
    assert!(outcomes.iter().all(Outcome::is_whole), "{mode:?}: {outcomes:?}");
    let passed = netns::traffic(place.namespace, DEVICE).unwrap().since(before);
    let (kernel, attachment) = held;
    let [rx, tx] = kernel.counts(place.index().unwrap()).unwrap().totals.classes.map(|seen| seen.iter().sum::<u64>());
    attachment.release(&kernel).unwrap();
    assert_eq!([rx, tx], [passed.rx_packets, passed.tx_packets], "each packet is counted");
}

/// Loading all programs anew takes its time.
const EXCHANGES: Count = Count { usual: 6, full: 100 };

#[test]
fn no_packet_is_lost_or_missed_while_programs_in_native_xdp_are_exchanged() {
    exchange(Mode::Native, EXCHANGES);
}

#[test]
fn no_packet_is_lost_or_missed_while_programs_in_tc_are_exchanged() {
    exchange(Mode::Tc, EXCHANGES);
}
