//! What watching costs, by the kernel's own statistics. They are on while a test holds a descriptor
//! (BPF_ENABLE_STATS), so that the machine's setting stays as it is.

use std::os::fd::OwnedFd;
use std::time::Duration;

use aya::sys::{Stats, enable_stats};
use monitor::bpf::cost::Cost;
use monitor::bpf::{Kernel, Sizes};
use monitor_common::frame::Direction;
use serde_json::Value;
use tests::load::wire::{self, Wire};
use tests::tunmon::Tunmon;

use super::{has_rights, sources};

const DEVICE: u32 = 1;

fn statistics() -> OwnedFd {
    enable_stats(Stats::RunTime).unwrap()
}

fn cost(kernel: &Kernel) -> [Cost; 2] {
    [Direction::Rx, Direction::Tx].map(|direction| kernel.cost(direction).unwrap())
}

/// An independent count of all packets: what the kernel says it ran is what the programs say they saw.
#[test]
fn runs_are_packets_and_steps_are_part_of_them() {
    if !has_rights() {
        return;
    }
    let kernel = Kernel::load(&[6081], Sizes::new(16, 16, 1024, 1), 7).unwrap();
    let _statistics = statistics();
    let before = cost(&kernel);
    // The first goes the short way, the others all the steps of the long one.
    for name in ["data_plain", "first_outer_fragment", "icmp_error"] {
        for _ in 0..100 {
            kernel.test_run("tunmon_xdp", &sources::base(name), None).unwrap();
            kernel.test_run("tunmon_tc_rx", &sources::base(name), None).unwrap();
            kernel.test_run("tunmon_tc_tx", &sources::base(name), None).unwrap();
        }
    }
    let [rx, tx] = [0, 1].map(|direction: usize| cost(&kernel)[direction].since(&before[direction]));
    let seen = kernel.counts(DEVICE).unwrap().totals.classes.map(|classes| classes.iter().sum::<u64>());
    assert_eq!([rx.runs, tx.runs], seen);
    assert_eq!(seen, [600, 300]);
    for cost in [rx, tx] {
        assert!(cost.time > Duration::from_nanos(10 * cost.runs), "{cost:?}");
    }
    for (name, program) in kernel.programs() {
        let is_entry = ["tunmon_xdp", "tunmon_tc_rx", "tunmon_tc_tx"].contains(&name);
        let Ok(info) = program.info() else { continue };
        assert_eq!(info.run_count() != 0, is_entry, "{name}: a tail call is part of the run that it is in");
    }
}

/// Waits for a report that is younger than `at`.
fn next_report(tunmon: &mut Tunmon, at: &str) {
    let is_younger =
        |record: &Value| record["schema"] == "tunmon.interval/v1" && record["ts"].as_str().is_some_and(|ts| ts > at);
    tunmon.wait_for("a report", is_younger).unwrap();
}

fn runs(record: &Value) -> u64 {
    record["overhead"]["bpf"]["ingress"]["runs"].as_u64().unwrap_or(0)
}

#[test]
fn statistics_that_are_turned_on_while_it_runs_are_told() {
    if !has_rights() {
        return;
    }
    let wire = Wire::create().unwrap();
    let (sender, frame) = (wire.sender().unwrap(), sources::base("data_plain"));
    let mut tunmon = Tunmon::start(&wire.far, wire::DEVICE, "--interval 100ms").unwrap();
    // With its first report tunmon measures, with or without statistics.
    next_report(&mut tunmon, "");
    let _statistics = statistics();
    // One packet tells that they are on, in the report of the packet or in the next one; what comes from then on counts.
    sender.send(&frame).unwrap();
    let first = tunmon.wait_for("the first packet", |record| record["accounting"]["seen"] == 1).unwrap();
    let at = first["ts"].as_str().unwrap().to_owned();
    next_report(&mut tunmon, &at);
    (0..1000).for_each(|_| sender.send(&frame).unwrap());
    tunmon.wait_for("what they cost", |record| runs(record) > 0).unwrap();
    let report = tunmon.stop().unwrap();
    let summary = report.summary().unwrap();
    summary.check_identities().unwrap();
    let overhead = &report.records.last().unwrap()["overhead"];
    println!("{overhead}");
    let told: u64 = report.of("tunmon.interval/v1").map(runs).sum();
    let ingress = &overhead["bpf"]["ingress"];
    // If somebody had them on from the start, the first packet is in it too.
    let all = ingress["runs"].as_u64().unwrap();
    assert!([1000, 1001].contains(&all) && told <= all, "{told} of {all}");
    assert_eq!(summary.accounting.seen, 1001);
    let each = ingress["seconds_per_run"].as_f64().unwrap();
    assert!(each > 1e-9 && (each * all as f64 / ingress["run_seconds"].as_f64().unwrap() - 1.0).abs() < 1e-6);
    for share in [&ingress["core_share"], &overhead["daemon"]["core_share"]] {
        assert!(share.as_f64().is_some_and(|share| share > 0.0 && share < 1.0), "{overhead}");
    }
}
