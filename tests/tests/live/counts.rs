//! Counts per VNI and direction equal tcpdump's, to the packet and the byte. The topology is that of `Lab::ovs`.

use tests::lab::{Lab, OVS_VNIS, Options};
use tests::oracle::Way;
use tests::ping::Ping;
use tests::traffic;

use super::support;

/// ICMP, fragments of ICMP, and TCP in both directions, over IPv4 and IPv6, on every VNI: node1 asks ten echoes on each.
pub(super) fn mixed_traffic(lab: &Lab) {
    for network in 1..=OVS_VNIS.len() {
        let (near, far) = (lab.pod(&format!("p1{network}")), lab.pod(&format!("p2{network}")));
        for ipv6 in [false, true] {
            let ping = Ping { payload_bytes: 100 * u32::try_from(network).unwrap(), ..Ping::to(far.address(ipv6)) };
            assert!(ping.run(&near.namespace).unwrap().received > 0);
            let large = Ping { payload_bytes: 4000, count: 2, ..Ping::to(near.address(ipv6)) };
            assert!(large.run(&far.namespace).unwrap().received > 0);
            traffic::tcp(&near.namespace, &far.namespace, far.address(ipv6), 30_000, 3).unwrap();
        }
        traffic::tcp(&far.namespace, &near.namespace, near.address(false), 1, 3).unwrap();
    }
}

#[test]
fn counts_equal_tcpdump() {
    let Some(lab) = support::ovs(Options::default()) else { return };
    let measured = support::measure(&lab, || mixed_traffic(&lab));
    measured.assert_healthy();
    let counts = measured.summary.counts();
    for vni in OVS_VNIS {
        for way in [Way::Receive, Way::Transmit] {
            assert!(counts[&(vni, way)].packets > 100, "VNI {vni} was hardly used: {counts:?}");
        }
    }
}

#[test]
fn counts_equal_tcpdump_with_outer_checksums() {
    let Some(lab) = support::ovs(Options { udp_checksum: Some(true), ..Options::default() }) else { return };
    support::measure(&lab, || mixed_traffic(&lab)).assert_healthy();
}

/// A run without traffic must be as exact: nothing is counted that was not there.
#[test]
fn an_idle_tunnel_counts_nothing() {
    let Some(lab) = support::ovs(Options::default()) else { return };
    let measured = support::measure(&lab, || ());
    assert!(measured.summary.vnis.iter().all(|row| row.rtt.is_empty()), "{:?}", measured.summary.vnis);
}
