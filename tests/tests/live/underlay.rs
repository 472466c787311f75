//! Tunnels over other underlays: IPv6 and VLAN tags. The topology is that of `Lab::ovs`.

use tests::lab::{OVS_VNIS, Options};
use tests::ping::Ping;

use super::counts::mixed_traffic;
use super::support;

fn check(options: Options) {
    let Some(lab) = support::ovs(options) else { return };
    let measured = support::measure(&lab, || {
        mixed_traffic(&lab);
        Ping { count: 9, ..Ping::to(lab.pod("p21").ipv4) }.run(&lab.pod("p11").namespace).unwrap()
    });
    measured.assert_healthy();
    assert!(
        measured
            .frames
            .iter()
            .all(|frame| frame.outer_vlan == options.vlan && frame.outer_source.is_ipv6() == options.ipv6)
    );
    for vni in OVS_VNIS {
        // Five pings over IPv4 and five over IPv6 are in the mixed traffic; large ones come from the other side.
        let more = if vni == OVS_VNIS[0] { u64::from(measured.traffic.received) } else { 0 };
        assert_eq!(measured.remote_samples(vni, "echo"), 10 + more, "VNI {vni}");
        assert!(measured.remote_samples(vni, "handshake") >= 2, "VNI {vni}");
        assert!(measured.remote_samples(vni, "timestamp") > 0, "VNI {vni}");
    }
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
