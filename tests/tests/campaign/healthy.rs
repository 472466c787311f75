//! Healthy networks, and bad ones whose path takes all lengths: nothing of the path's family is told.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use tests::lab::{Lab, Options};

use super::case::{self, Filter, TO_NODE_1, TO_NODE_2, found, rounds};
use super::traffic::{Downloads, Plan};

const PLAN: Plan = Plan { bytes: 100_000, clients: 4, ipv6: false };
/// As long as tunmon watches, and a moment less.
const WHILE: Duration = Duration::from_secs(7);

/// Downloads both ways while tunmon watches; `during` is done a second later.
fn is_quiet(name: &str, lab: &Lab, plan: Plan, during: impl Fn()) {
    for _ in 0..rounds() {
        let findings = found(lab, || {
            let pods = ["p11", "p21"].map(|name| lab.pod(name));
            let _there = Downloads::start(pods[0], pods[1], plan);
            let _back = Downloads::start(pods[1], pods[0], plan);
            thread::sleep(Duration::from_secs(1));
            during();
            thread::sleep(WHILE - Duration::from_secs(1));
        });
        assert_eq!(findings, Vec::<Value>::new(), "{name}");
        println!("{name}: nothing told");
    }
}

#[test]
fn traffic_loss_and_restarts_are_no_fault_of_the_path() {
    let Some(lab) = case::ovs(Options::default()) else { return };
    is_quiet("traffic", &lab, PLAN, || {});
    is_quiet("small answers", &lab, Plan { bytes: 500, ..PLAN }, || {});
    is_quiet("an outage of three seconds", &lab, PLAN, || {
        let _filters = [TO_NODE_1, TO_NODE_2].map(|port| Filter::new(&lab, port, "ip protocol udp drop"));
        thread::sleep(Duration::from_secs(3));
    });
    is_quiet("the peer's switch stands still for two seconds", &lab, PLAN, || {
        let _frozen = lab.freeze(2).unwrap();
        thread::sleep(Duration::from_secs(2));
    });
    is_quiet("5 % random loss", &lab, PLAN, || {
        let _filters = [TO_NODE_1, TO_NODE_2]
            .map(|port| Filter::new(&lab, port, "ip protocol udp numgen random mod 20 == 0 drop"));
        thread::sleep(WHILE - Duration::from_secs(1));
    });
    is_quiet("15 % random loss of one direction", &lab, Plan { bytes: 5_000, ..PLAN }, || {
        let _filter = Filter::new(&lab, TO_NODE_1, "ip protocol udp numgen random mod 20 < 3 drop");
        thread::sleep(WHILE - Duration::from_secs(1));
    });
    is_quiet("a pod dies in the middle of its answers", &lab, Plan { bytes: 5_000, ..PLAN }, || {
        lab.pod("p11").namespace.ip(&["link set eth0 down"]).unwrap();
        thread::sleep(Duration::from_secs(4));
        lab.pod("p11").namespace.ip(&["link set eth0 up"]).unwrap();
    });
}

#[test]
fn a_jumbo_underlay_with_pods_to_match_is_healthy() {
    let jumbo = Options { underlay_mtu: 9000, pod_mtu: 8942, ..Options::default() };
    let Some(lab) = case::ovs(jumbo) else { return };
    is_quiet("jumbo", &lab, PLAN, || {});
}

#[test]
fn pods_that_use_all_that_the_path_leaves_are_healthy() {
    let Some(lab) = case::ovs(Options { pod_mtu: 1450, routed: true, ..Options::default() }) else { return };
    is_quiet("to the byte", &lab, PLAN, || {});
}

#[test]
fn an_mss_that_is_clamped_foretells_nothing() {
    let Some(lab) = case::ovs(Options { pod_mtu: 1500, ..Options::default() }) else { return };
    for pod in ["p11", "p21"].map(|name| &lab.pod(name).namespace) {
        pod.run("nft add table ip f").unwrap();
        pod.run("nft add chain ip f c { type filter hook output priority 0 ; }").unwrap();
        pod.run("nft add rule ip f c tcp flags syn tcp option maxseg size set 1360").unwrap();
    }
    is_quiet("clamped", &lab, PLAN, || {});
}

#[test]
fn a_healthy_ovn_is_told_nothing() {
    let Some(lab) = case::ovn(Options { pod_mtu: 1442, ..Options::default() }) else { return };
    is_quiet("OVN", &lab, PLAN, || {});
}
