//! What the tests of the same name prove on one kernel, in small: no packet is lost, and every setting is as before.

use monitor::bpf::{Kernel, Sizes, load};
use tests::calm::{self, Cycles, Mode, Pair, Place};
use tests::{needs, process};

use super::nodes::{self, Nodes, TUNNEL, Wire};
use super::support;

const CYCLES: Cycles = Cycles { count: 3, packets: 20, rate: 1000 };

/// First all of it once under the snapshots, then the cycles under the streams.
fn check(places: [Place<'_>; 2], mode: Mode) {
    let t = std::time::Instant::now();
    let mut kernel = Kernel::load(&[6081], Sizes::new(2, 2, 64, load::processors().unwrap()), 0).unwrap();
    println!("loaded {:?}", t.elapsed());
    let attach = || mode.attach(&mut kernel, places[0]);
    let detach = |attachment| {
        drop(attachment);
        Ok(())
    };
    let [during, after] = calm::around(places, attach, detach).unwrap();
    println!("around {:?}", t.elapsed());
    assert_ne!(during, "", "the snapshots do not see tunmon");
    assert_eq!(after, "");
    let outcomes = CYCLES.run(&mut kernel, places, mode).unwrap();
    println!("{mode:?}: {outcomes:?} {:?}", t.elapsed());
    assert!(outcomes.iter().all(|outcome| outcome.is_whole()), "{mode:?}: {outcomes:?}");
}

fn check_veth(mode: Mode) {
    if support::skip_for(needs::missing(&[needs::NETWORK, needs::HOOKS])) {
        return;
    }
    process::own_descriptors().unwrap();
    check(Pair::create().unwrap().places(), mode);
}

#[test]
fn native_xdp_on_veth_costs_no_packet_and_leaves_no_trace() {
    check_veth(Mode::Native);
}

#[test]
fn generic_xdp_on_veth_costs_no_packet_and_leaves_no_trace() {
    check_veth(Mode::Generic);
}

#[test]
fn the_kernels_tc_hook_on_veth_costs_no_packet_and_leaves_no_trace() {
    check_veth(Mode::Tc);
}

#[test]
fn native_xdp_on_virtio_costs_no_packet_and_leaves_no_trace() {
    if support::skip_for(needs::missing(&[needs::HOOKS])) {
        return;
    }
    process::own_descriptors().unwrap();
    let Some(nodes) = Nodes::create(Wire::Virtio) else { return };
    let places =
        [(&nodes.one, 1), (&nodes.two, 2)].map(|(namespace, index)| Place { namespace, address: nodes::outer(index) });
    for place in places {
        // The streams have its port.
        place.namespace.ip(&[format!("link del {TUNNEL}")]).unwrap();
        place.wait().unwrap();
    }
    check(places, Mode::Native);
}
