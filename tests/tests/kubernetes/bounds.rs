//! Servers that lie: what they send without end, or never, costs neither memory nor reports.

use std::fs;
use std::thread;
use std::time::Duration;

use tests::tunmon::Tunmon;
use tests::wait;

use super::server::Mode;
use super::support::{Cluster, at, intervals, node, wait_for};

/// Growth of tunmon's memory that a server may cause.
const MOST_BYTES: u64 = 64 << 20;

fn memory(tunmon: &Tunmon, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", tunmon.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Answers so until it was asked three times; returns by how much memory has grown at most.
fn growth(mode: Mode) -> Option<u64> {
    let cluster = Cluster::create()?;
    cluster.server.apply("before", node("before"));
    let mut tunmon = cluster.watch();
    wait_for(&mut tunmon, "before");
    let before = memory(&tunmon, "VmRSS:");
    // Of loading there was a peak, which is not meant.
    fs::write(format!("/proc/{}/clear_refs", tunmon.pid()), "5").unwrap();
    let asked = cluster.server.requests().len();
    cluster.server.is(mode);
    if let Mode::EndlessWatch(..) = mode {
        // The watch that is good ends.
        cluster.server.forget(|put| put("before", Some(node("before"))));
    }
    let is_asked = || Ok((cluster.server.requests().len() >= asked + 3).then_some(()));
    wait::until("more questions", Duration::from_secs(50), is_asked).unwrap();
    let growth = memory(&tunmon, "VmHWM:").saturating_sub(before);
    cluster.server.forget(|put| put("before", None));
    cluster.server.apply("after", node("after"));
    cluster.server.is(Mode::Good);
    wait_for(&mut tunmon, "after");
    let report = tunmon.stop().unwrap();
    let longest = report.of("tunmon.interval/v1").map(|record| record["interval_seconds"].as_f64().unwrap());
    let longest = longest.fold(0.0, f64::max);
    assert!(longest < 1.0, "{mode:?}: an interval of 200 ms took {longest} s");
    assert!(report.stderr.len() < 4096, "{}", report.stderr);
    eprintln!("{mode:?}: {} MiB, of {} MiB sent", growth >> 20, cluster.server.sent_bytes() >> 20);
    Some(growth)
}

/// All of them at a time, for most of it is waiting.
fn check(modes: &[Mode]) {
    let grown = thread::scope(|scope| {
        let runs: Vec<_> = modes.iter().map(|mode| scope.spawn(|| growth(*mode))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect::<Vec<_>>()
    });
    for (mode, growth) in modes.iter().zip(grown) {
        let Some(growth) = growth else { return };
        assert!(growth <= MOST_BYTES, "{mode:?}: {} MiB", growth >> 20);
    }
}

#[test]
fn lists_without_end_are_cut() {
    check(&[
        Mode::Endless("{\"kind\":\"NodeList\",\"apiVersion\":\"v1\",\"x\":\"", "x"),
        Mode::Endless("{\"kind\":\"NodeList\",\"apiVersion\":\"v1\",\"x\":[1", ",1"),
        Mode::Endless(
            "{\"items\":[{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}}",
            ",{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"1\"}}",
        ),
    ]);
}

#[test]
fn events_without_end_are_cut() {
    check(&[
        Mode::EndlessWatch("{\"type\":\"ADDED\",\"object\":{\"x\":\"", "x"),
        Mode::EndlessWatch("{\"object\":[1", ",1"),
    ]);
}

#[test]
fn nodes_without_end_are_cut() {
    let Some(cluster) = Cluster::create() else { return };
    cluster.server.is(Mode::EndlessPages);
    let mut tunmon = cluster.watch();
    let before = memory(&tunmon, "VmRSS:");
    fs::write(format!("/proc/{}/clear_refs", tunmon.pid()), "5").unwrap();
    let is_full = || Ok((cluster.server.requests().len() >= 17).then_some(()));
    wait::until("17 pages of 1000 nodes", Duration::from_secs(50), is_full).unwrap();
    intervals(&mut tunmon, 40);
    let growth = memory(&tunmon, "VmHWM:").saturating_sub(before);
    assert!(growth <= MOST_BYTES, "{} MiB", growth >> 20);
    let report = tunmon.stop().unwrap();
    assert!(report.stderr.contains("there are more than 16384 nodes"), "{}", report.stderr);
    assert!(cluster.server.requests().len() <= 18, "it asked for more");
}

#[test]
fn a_server_that_never_answers_holds_up_nobody() {
    let Some(cluster) = Cluster::create() else { return };
    cluster.server.apply("other", at("other", [198, 51, 100, 7].into()));
    cluster.server.is(Mode::Silent);
    let mut tunmon = cluster.watch();
    intervals(&mut tunmon, 10);
    cluster.server.apply("after", node("after"));
    cluster.server.is(Mode::Good);
    wait_for(&mut tunmon, "after");
    let report = tunmon.stop().unwrap();
    assert!(report.stderr.contains("no answer in 30s"), "{}", report.stderr);
}
