//! Paths that take everything, and paths that do not.

use std::collections::BTreeSet;
use std::time::Duration;

use super::support::{PEERS, ROUTERS, Underlay};

/// The next smaller packet than IPv4 and IPv6 with OVN's headers leave room for.
const OVERHEAD: [u64; 2] = [58, 78];

#[test]
fn whole_packets_pass_in_every_flow_and_a_few_packets_are_enough_to_know() {
    let Some(underlay) = Underlay::create(&[]) else { return };
    for (version, peer) in PEERS.into_iter().enumerate() {
        let probed = underlay.probe(peer);
        assert_eq!((probed.code, &probed.record["state"]), (0, &"whole".into()), "{}", probed.record);
        assert_eq!(probed.flows(), [(Some(1500), None); 4]);
        assert_eq!(probed.number("path_mtu_bytes"), Some(1500));
        // Five, and those whose answers a busy machine gives late.
        assert!(probed.number("packets").unwrap() <= 9, "{}", probed.record);
        assert_eq!(probed.number("recommended_inner_mtu_bytes"), Some(1500 - OVERHEAD[version]));
        assert_eq!((&probed.record["device"], &probed.record["method"]), (&"n0".into(), &"udp".into()));
    }
}

#[test]
fn what_a_router_refuses_is_found_with_its_word() {
    let Some(underlay) = Underlay::create(&[]) else { return };
    underlay.narrow("ra", 1400);
    for (version, peer) in PEERS.into_iter().enumerate() {
        for method in ["udp", "icmp"] {
            let probed = underlay.probe(&format!("{peer} --method {method}"));
            assert_eq!((probed.code, &probed.record["state"]), (3, &"smaller".into()), "{}", probed.record);
            let flows = probed.flows();
            assert_eq!(flows, vec![(Some(1400), Some(1401)); flows.len()]);
            assert_eq!(flows.len(), if method == "udp" { 4 } else { 1 });
            let report = &probed.record["flows"][0]["reports"][0];
            let expected = (&ROUTERS[version].into(), &1400.into());
            assert_eq!((&report["reporter"], &report["mtu_bytes"]), expected, "{}", probed.record);
            assert_eq!(probed.number("recommended_inner_mtu_bytes"), Some(1400 - OVERHEAD[version]));
            assert!(probed.number("packets").unwrap() <= 30, "{}", probed.record);
        }
    }
}

/// Also where the peer gives one "port unreachable" a second, of which the first probe has taken those at once.
#[test]
fn a_black_hole_is_found_to_the_byte_again_and_again() {
    let Some(underlay) = Underlay::create(&["nft"]) else { return };
    underlay.mute();
    for mtu in [1400, 1387] {
        underlay.narrow("ra", mtu);
        let mtu = u64::from(mtu);
        for peer in PEERS {
            let probed = underlay.probe(peer);
            assert_eq!((probed.code, probed.flows()), (3, vec![(Some(mtu), Some(mtu + 1)); 4]), "{}", probed.record);
            assert_eq!((&probed.record["ended"], &probed.record["method"]), (&"done".into(), &"udp".into()));
            let cause = probed.record["cause"].as_str().unwrap();
            assert!(cause.contains("black hole"), "{cause}");
            assert!(probed.number("packets").unwrap() <= 60, "{}", probed.record);
            assert!(probed.took < Duration::from_secs(25), "{:?}", probed.took);
        }
    }
}

/// A veth device takes four bytes more than its MTU, the length of a VLAN tag, and drops the rest without a word.
#[test]
fn a_device_that_swallows_is_found_in_seconds_by_echo() {
    let Some(underlay) = Underlay::create(&[]) else { return };
    underlay.far.ip(&["link set fa mtu 1300"]).unwrap();
    for peer in PEERS {
        let probed = underlay.probe(&format!("{peer} --method icmp"));
        assert_eq!((probed.code, probed.flows()), (3, vec![(Some(1304), Some(1305))]), "{}", probed.record);
        assert!(probed.took < Duration::from_secs(8), "{:?}", probed.took);
    }
}

#[test]
fn one_small_path_of_two_is_told_by_its_flows() {
    let Some(underlay) = Underlay::create(&["nft"]) else { return };
    underlay.spread();
    underlay.mute();
    underlay.narrow("rb", 1420);
    // IPv6 answers ten times a second. Sixteen flows all take one way once in 32 768 runs.
    let probed = underlay.probe(&format!("{} --flows 16", PEERS[1]));
    let kinds: BTreeSet<_> = probed.flows().into_iter().collect();
    assert_eq!(kinds, BTreeSet::from([(Some(1420), Some(1421)), (Some(1500), None)]), "{}", probed.record);
    assert_eq!((probed.code, &probed.record["flows_differ"]), (3, &true.into()));
    assert_eq!(probed.number("path_mtu_bytes"), Some(1420));
    let ports = probed.record["flows"].as_array().unwrap().iter().map(|flow| flow["source_port"].as_u64().unwrap());
    assert_eq!(ports.collect::<BTreeSet<_>>().len(), 16);
    // Echo goes one way only, and may miss it.
    let cause = probed.record["cause"].as_str().unwrap();
    assert!(cause.contains("differ") && cause.contains("ECMP"), "{cause}");
}

#[test]
fn one_small_path_of_two_is_told_over_ipv4_with_the_routers_word() {
    let Some(underlay) = Underlay::create(&[]) else { return };
    underlay.spread();
    underlay.narrow("rb", 1420);
    let probed = underlay.probe(&format!("{} --flows 16 --timeout 60s", PEERS[0]));
    let kinds: BTreeSet<_> = probed.flows().into_iter().collect();
    assert_eq!(kinds, BTreeSet::from([(Some(1420), Some(1421)), (Some(1500), None)]), "{}", probed.record);
    assert_eq!(probed.code, 3);
}
