//! OVN: options in every packet, and one VNI each way in a routed conversation. The topology is that of `Lab::ovn`.

use tests::lab::{OVN_VNIS, Options};
use tests::oracle::Way;
use tests::ping::Ping;
use tests::traffic;

use super::support;

const LS0: u32 = OVN_VNIS[0];
const LS1: u32 = OVN_VNIS[1];

#[test]
fn a_routed_conversation_has_round_trips_although_its_vnis_differ() {
    let Some(lab) = support::ovn(Options::default()) else { return };
    let (near, far) = (lab.pod("p11"), lab.pod("p22"));
    let measured = support::measure(&lab, "", || {
        // Long enough for many ticks of the timestamp clock, which ticks once a millisecond.
        traffic::tcp(&near.namespace, &far.namespace, far.address(false), 2_000, 500).unwrap();
        Ping { count: 8, ..Ping::to(far.ipv4) }.run(&near.namespace).unwrap();
    });
    measured.assert_healthy();
    // As with plain Open vSwitch, and 8 bytes of OVN's option.
    measured.assert_overhead(58);

    // What is sent to p22 carries its network's VNI, and the answers that of p11's.
    let counts = measured.summary.counts();
    let ways: Vec<(u32, Way)> = counts.keys().copied().collect();
    assert_eq!(ways, [(LS0, Way::Receive), (LS1, Way::Transmit)], "{counts:?}");

    // A sample belongs to the packet that was stamped: requests left with LS1.
    assert_eq!(measured.echoes(&lab, LS1, Way::Transmit), 8);
    assert_eq!(measured.remote_samples(LS1, "echo"), 8);
    assert_eq!(measured.remote_samples(LS1, "handshake"), 1);
    assert!(measured.remote_samples(LS1, "timestamp") > 0, "{:?}", measured.summary.vnis);
    // SYN-ACK in, ACK out: the other leg, by the VNI of the SYN-ACK.
    assert_eq!(measured.local_samples(LS0, "handshake"), 1);
    assert!(measured.local_samples(LS0, "timestamp") > 0, "{:?}", measured.summary.vnis);
}

#[test]
fn switched_conversations_are_counted_exactly() {
    let Some(lab) = support::ovn(Options::default()) else { return };
    let measured = support::measure(&lab, "", || {
        for (from, to) in [("p11", "p21"), ("p22", "p12")] {
            let (from, to) = (lab.pod(from), lab.pod(to));
            for ipv6 in [false, true] {
                Ping::to(to.address(ipv6)).run(&from.namespace).unwrap();
                traffic::tcp(&from.namespace, &to.namespace, to.address(ipv6), 50_000, 2).unwrap();
            }
        }
    });
    measured.assert_healthy();
    assert_eq!((measured.echoes(&lab, LS0, Way::Transmit), measured.echoes(&lab, LS1, Way::Receive)), (10, 10));
    assert_eq!((measured.remote_samples(LS0, "echo"), measured.local_samples(LS1, "echo")), (10, 10));
    assert_eq!(measured.remote_samples(LS0, "handshake"), 2);
    assert_eq!(measured.local_samples(LS1, "handshake"), 2);
}

#[test]
fn ovn_over_ipv6_is_measured_exactly() {
    let Some(lab) = support::ovn(Options { ipv6: true, ..Options::default() }) else { return };
    let (near, far) = (lab.pod("p11"), lab.pod("p22"));
    let measured = support::measure(&lab, "", || {
        traffic::tcp(&near.namespace, &far.namespace, far.address(true), 20_000, 2).unwrap();
        Ping::to(far.ipv6).run(&near.namespace).unwrap();
    });
    measured.assert_healthy();
    measured.assert_overhead(78);
    assert_eq!(measured.echoes(&lab, LS1, Way::Transmit), 5);
    assert_eq!(measured.remote_samples(LS1, "echo"), 5);
}
