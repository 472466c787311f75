//! Tunnels over other underlays: IPv6 and VLAN tags. The topology is that of `Lab::ovs`.

use tests::lab::{OVS_VNIS, Options};
use tests::oracle::Way;

use super::counts::mixed_traffic;
use super::support;

fn check(options: Options) {
    let Some(lab) = support::ovs(options) else { return };
    let measured = support::measure(&lab, "", || mixed_traffic(&lab));
    measured.assert_healthy();
    // A VLAN tag is not part of the IP packet that the MTU limits.
    measured.assert_overhead(if options.ipv6 { 70 } else { 50 });
    assert!(
        measured
            .frames
            .iter()
            .all(|frame| frame.outer_vlan == options.vlan && frame.outer_source.is_ipv6() == options.ipv6)
    );
    for vni in OVS_VNIS {
        assert_eq!(measured.echoes(&lab, vni, Way::Transmit), 10, "VNI {vni}");
        assert_eq!(measured.remote_samples(vni, "echo"), 10, "VNI {vni}");
        assert!(measured.remote_samples(vni, "handshake") >= 2, "VNI {vni}");
    }
    // The connections are short: each has a few ticks of the timestamp clock.
    let by_timestamp: u64 = OVS_VNIS.iter().map(|vni| measured.remote_samples(*vni, "timestamp")).sum();
    assert!(by_timestamp > 0, "{:?}", measured.summary.vnis);
}

#[test]
fn an_ipv6_underlay_is_measured_exactly() {
    check(Options { ipv6: true, ..Options::default() });
}

#[test]
fn a_tagged_underlay_is_measured_exactly() {
    check(Options { vlan: Some(100), ..Options::default() });
}

#[test]
fn a_tagged_ipv6_underlay_is_measured_exactly() {
    check(Options { ipv6: true, vlan: Some(4094), ..Options::default() });
}
