//! Programs of others stay where they are and do what they did, whatever tunmon does on their device.

use std::net::UdpSocket;
use std::time::Duration;

use monitor::bpf::{Ingress, Kernel};
use monitor_common::frame::Direction;
use monitor_common::packet::Class;
use tests::calm::{self, Attached, Foreign, Pair, Snapshot, Way};
use tests::{needs, wait};

use super::support::{self, Count};

/// Cycles, and how many of them there are between two looks at what is dropped.
const CYCLES: Count = Count { usual: 100, full: 1000 };
const ROUND: u32 = 25;
const DATAGRAMS: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(10);
/// Nobody drops what is sent to this port.
const OPEN: u16 = 9099;

/// A device with programs of others, a sender at its far end, and a receiver behind it.
struct Site {
    pair: Pair,
    others: Vec<Foreign>,
    sender: UdpSocket,
    receiver: UdpSocket,
}

impl Site {
    fn create(ways: &[Way]) -> Self {
        let (pair, object) = (Pair::create().unwrap(), Foreign::object().unwrap());
        let [near, far] = pair.places();
        let socket = |place: calm::Place<'_>, port| {
            let _inside = place.namespace.enter().unwrap();
            UdpSocket::bind((place.address, port)).unwrap()
        };
        let (sender, receiver) = (socket(far, 0), socket(near, OPEN));
        receiver.set_read_timeout(Some(PATIENCE)).unwrap();
        let others = ways.iter().map(|way| Foreign::attach(&object, near, *way).unwrap()).collect();
        Self { pair, others, sender, receiver }
    }

    /// Proves that each of the others drops what is sent to its port, and nothing else.
    fn assert_effective(&self) {
        let near = self.pair.places()[0].address;
        let dropped = || self.others.iter().map(|other| other.dropped().unwrap()).collect::<Vec<_>>();
        let expected: Vec<u64> = dropped().iter().map(|before| before + DATAGRAMS).collect();
        for port in self.others.iter().map(|other| other.way.port()).chain([OPEN]) {
            for _ in 0..DATAGRAMS {
                self.sender.send_to(b"disturbed?", (near, port)).unwrap();
            }
        }
        for _ in 0..DATAGRAMS {
            self.receiver.recv(&mut [0; 16]).unwrap();
        }
        let all_are = || Ok((dropped() == expected).then_some(()));
        wait::until(&format!("{expected:?} datagrams to be dropped"), PATIENCE, all_are).unwrap();
    }

    fn attach(&self, kernel: &mut Kernel) -> Attached<'_> {
        let attachment = self.pair.places()[0].attach(kernel, Ingress::Auto).unwrap();
        assert_eq!([attachment.ingress, attachment.egress], ["tcx", "tcx"]);
        let [refused] = &attachment.refused[..] else { panic!("{:?}", attachment.refused) };
        assert!(refused.contains("another XDP program is attached: foreign_xdp (id "), "{refused}");
        attachment
    }

    /// Proves that the others are effective while tunmon is attached, and that tunmon counts what gets as far as TC.
    fn assert_both_effective(&self, kernel: &mut Kernel) {
        let attachment = self.attach(kernel);
        let seen = |kernel: &Kernel| {
            let classes = kernel.counts(attachment.device.index).unwrap().totals.classes;
            classes[Direction::Rx as usize][Class::Other as usize]
        };
        let before = seen(kernel);
        self.assert_effective();
        let behind_xdp = self.others.iter().filter(|other| !other.way.is_xdp()).count() as u64;
        assert_eq!(seen(kernel) - before, (behind_xdp + 1) * DATAGRAMS);
    }
}

fn check(ways: &[Way]) {
    if support::skips() {
        return;
    }
    if !calm::has_tcx() {
        needs::skip("this kernel has no TCX");
        return;
    }
    let mut kernel = support::load();
    let site = Site::create(ways);
    site.assert_effective();
    let before = Snapshot::take(site.pair.places()[0]).unwrap();
    assert!(site.others.iter().all(|other| before.shows(other.id().unwrap())), "{before:?}");
    for _ in 0..CYCLES.get() / ROUND {
        for _ in 1..ROUND {
            drop(site.attach(&mut kernel));
        }
        site.assert_both_effective(&mut kernel);
    }
    // To the byte: the same programs by the same numbers, and nothing more.
    assert_eq!(Snapshot::take(site.pair.places()[0]).unwrap().since(&before), "");
    site.assert_effective();
}

#[test]
fn xdp_by_link_tcx_and_a_filter_in_clsact_stay_and_do_what_they_did() {
    check(&[Way::XdpByLink, Way::Tcx, Way::Clsact]);
}

#[test]
fn xdp_by_netlink_and_a_filter_in_the_ingress_qdisc_stay_and_do_what_they_did() {
    check(&[Way::XdpByNetlink, Way::IngressQdisc]);
}
