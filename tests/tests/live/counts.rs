//! Counts per VNI and direction equal tcpdump's, to the packet and the byte. The topology is that of `Lab::ovs`.

use tests::lab::{Lab, OVS_VNIS, Options};
use tests::oracle::{self, Counts, Way};
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
    let measured = support::measure(&lab, "", || mixed_traffic(&lab));
    measured.assert_healthy();
    // Outer IPv4 20, UDP 8, Geneve 8, inner Ethernet 14.
    measured.assert_overhead(50);
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
    support::measure(&lab, "", || mixed_traffic(&lab)).assert_healthy();
}

#[test]
fn counts_equal_tcpdump_at_the_tc_hook() {
    for vlan in [None, Some(100)] {
        let Some(lab) = support::ovs(Options { vlan, ..Options::default() }) else { return };
        support::measure(&lab, "--ingress tc", || mixed_traffic(&lab)).assert_healthy();
    }
}

#[test]
fn counts_equal_tcpdump_under_load() {
    const BYTES: usize = 8 << 20;
    let Some(lab) = support::ovs(Options::default()) else { return };
    let (near, far) = (lab.pod("p11"), lab.pod("p21"));
    let measured = support::measure(&lab, "", || {
        traffic::tcp(&near.namespace, &far.namespace, far.address(false), BYTES, 1).unwrap();
    });
    for (key, tally) in measured.summary.counts() {
        assert!(tally.bytes > BYTES.try_into().unwrap(), "{key:?}: {tally:?}");
    }
}

/// What does not fit the tables is counted as well, but under `other`.
#[test]
fn vnis_beyond_the_bound_are_counted_together() {
    let Some(lab) = support::ovs(Options::default()) else { return };
    let measured = support::observe(&lab, "--max-vnis 2", || mixed_traffic(&lab));
    let (counts, truth) = (measured.summary.counts(), oracle::count(&measured.frames, lab.outer(1)));
    let (kept, rest): (Counts, Counts) = truth.into_iter().partition(|(key, _)| counts.contains_key(key));
    assert_eq!(counts, kept);
    assert_eq!(kept.len(), 2 * 2, "two VNIs, two directions: {kept:?}");
    let packets =
        |way| rest.iter().filter(|((_, other), _)| *other == way).map(|(_, tally)| tally.packets).sum::<u64>();
    let other = measured.summary.other;
    assert_eq!((other.rx_packets, other.tx_packets), (packets(Way::Receive), packets(Way::Transmit)));
}

/// A run without traffic must be as exact: nothing is counted that was not there.
#[test]
fn an_idle_tunnel_counts_nothing() {
    let Some(lab) = support::ovs(Options::default()) else { return };
    let measured = support::measure(&lab, "", || ());
    assert!(measured.summary.vnis.iter().all(|row| row.rtt.is_empty()), "{:?}", measured.summary.vnis);
}
