//! A path between two of the kernel's own Geneve devices that swallows long packets, and one that does not.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use tests::ping::Ping;
use tests::tunmon::{Report, Tunmon};
use tests::{needs, traffic};

use super::nodes::{self, DEVICE, Nodes, VNI, Wire};
use super::segments::cut_at;
use super::support;

const BYTES: usize = 50_000;

/// What of the path's family was told.
fn told(report: &Report) -> Vec<&Value> {
    report.of("tunmon.finding/v1").filter(|finding| finding["code"].as_str() < Some("TM200")).collect()
}

/// Node 2 takes no more than this; what is longer its end of the cable drops in silence.
fn take(nodes: &Nodes, mtu: u32) {
    nodes.two.ip(&[format!("link set {DEVICE} mtu {mtu}")]).unwrap();
}

#[test]
fn long_packets_that_vanish_between_kernel_tunnels_are_told_and_others_are_not() {
    let Some(nodes) = Nodes::create(Wire::Veth) else { return };
    // A super-frame would pass whole.
    [&nodes.one, &nodes.two].into_iter().for_each(cut_at);
    let transfer = || traffic::tcp(&nodes.one, &nodes.two, nodes::inner(2).into(), BYTES, 2).unwrap();
    let healthy = Tunmon::start(&nodes.one, DEVICE, "--interval 500ms").unwrap();
    transfer();
    assert_eq!(told(&healthy.stop().unwrap()), Vec::<&Value>::new());

    take(&nodes, 1400);
    let mut tunmon = Tunmon::start(&nodes.one, DEVICE, "--interval 500ms").unwrap();
    thread::scope(|scope| {
        scope.spawn(transfer);
        scope.spawn(|| {
            let interval = Duration::from_millis(200);
            Ping { count: 40, interval, ..Ping::to(nodes::inner(2)) }.run(&nodes.one).unwrap();
        });
        let finding = tunmon.wait_for("TM101", |record| record["code"] == "TM101").cloned();
        // Now the transfer comes to its end.
        take(&nodes, 1500);
        let finding = finding.unwrap();
        let evidence = &finding["evidence"];
        assert_eq!((&finding["vni"], &evidence["direction"]), (&VNI.into(), &"tx".into()), "{finding}");
        assert_eq!(finding["peer"]["ip"], nodes::outer(2).to_string());
        assert_eq!(evidence["lost_length_bytes"], 1500, "{finding}");
        assert!(evidence["delivered_length_bytes"].as_u64() < Some(1400), "{finding}");
    });
    let report = tunmon.stop().unwrap();
    let others: Vec<_> = told(&report).into_iter().filter(|finding| finding["code"] != "TM101").collect();
    assert_eq!(others, Vec::<&Value>::new());
}

#[test]
fn packets_that_overtake_each_other_and_get_lost_are_no_fault_of_the_path() {
    if support::skip_for(needs::missing_module("sch_netem")) {
        return;
    }
    let Some(nodes) = Nodes::create(Wire::Veth) else { return };
    [&nodes.one, &nodes.two].into_iter().for_each(cut_at);
    for disorder in ["delay 4ms reorder 60% 50%", "delay 1ms loss 5% duplicate 2%"] {
        for node in [&nodes.one, &nodes.two] {
            node.run(&format!("tc qdisc replace dev {DEVICE} root netem {disorder}")).unwrap();
        }
        let tunmon = Tunmon::start(&nodes.one, DEVICE, "--interval 500ms").unwrap();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| traffic::tcp(&nodes.one, &nodes.two, nodes::inner(2).into(), BYTES, 2).unwrap());
            }
        });
        assert_eq!(told(&tunmon.stop().unwrap()), Vec::<&Value>::new(), "{disorder}");
    }
}
