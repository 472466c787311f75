//! What the tests of the same name prove on one kernel, in small: no packet is lost, and every setting is as before.

use monitor::bpf::{Kernel, Sizes, load};
use tests::calm::{self, Cycles, Mode, Pair, Place};
use tests::{needs, process};

use super::nodes::{self, Nodes, TUNNEL, Wire};
use super::support;

const CYCLES: Cycles = Cycles { count: 3, packets: 20, rate: 1000 };

/// First all of it once under the snapshots, then the cycles under the streams.
fn check(places: [Place<'_>; 2], mode: Mode) {
    let mut kernel = Kernel::load(&[6081], Sizes::new(2, 2, 64, load::processors().unwrap()), 0).unwrap();
    let attach = || mode.attach(&mut kernel, places[0]);
    let detach = |attached| {
        drop(attached);
        Ok(())
    };
    let [during, after] = calm::around(places, attach, detach).unwrap();
    assert_ne!(during, "", "the snapshots do not see tunmon");
    assert_eq!(after, "");
    if !calm::has_tcx() {
        add_clsact(places);
    }
    let outcomes = CYCLES.run(&mut kernel, places, mode).unwrap();
    println!("{mode:?}: {outcomes:?}");
    assert!(outcomes.iter().all(|outcome| outcome.is_whole()), "{mode:?}: {outcomes:?}");
}

/// For the moment in which a qdisc comes or goes, the kernel sends nothing: it stops all of the device's queues, also for
/// one that is not theirs (`qdisc_graft`). So where tunmon needs clsact, packets are safe only if that is there already.
fn add_clsact(places: [Place<'_>; 2]) {
    for place in places {
        place.namespace.run(&format!("tc qdisc add dev {} clsact", calm::DEVICE)).unwrap();
    }
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
