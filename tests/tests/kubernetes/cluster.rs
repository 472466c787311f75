//! What happens in a cluster, and the names that the peer has in interval records meanwhile.

use std::cell::Cell;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::Value;
use tests::tunmon::Report;
use tests::wait;

use super::server::{Mode, Server};
use super::support::{Cluster, at, intervals, node, seen, wait_for};

/// The names that the peer has had, each as often as it came anew.
fn history(report: &Report) -> Vec<Option<String>> {
    let mut names: Vec<_> = report.records.iter().filter_map(seen).map(|name| name.map(ToOwned::to_owned)).collect();
    names.dedup();
    names
}

fn names(names: &[&str]) -> Vec<Option<String>> {
    names.iter().map(|name| (!name.is_empty()).then(|| (*name).to_owned())).collect()
}

/// Lists that it was asked for from their beginning.
fn lists(server: &Server) -> usize {
    server.requests().iter().filter(|path| !path.contains("watch=") && !path.contains("continue=")).count()
}

fn watches(server: &Server) -> Vec<String> {
    server.requests().into_iter().filter(|path| path.contains("watch=true")).collect()
}

#[test]
fn nodes_come_change_and_go_with_their_events() {
    let Some(cluster) = Cluster::create() else { return };
    cluster.server.apply("other", at("other", Ipv4Addr::new(198, 51, 100, 7)));
    let mut tunmon = cluster.watch();
    wait::until("a watch", Duration::from_secs(20), || Ok((!watches(&cluster.server).is_empty()).then_some(())))
        .unwrap();
    cluster.server.apply("first", node("first"));
    wait_for(&mut tunmon, "first");
    cluster.server.bookmark();
    // It moves away, and another one has its address.
    cluster.server.apply("first", at("first", Ipv4Addr::new(198, 51, 100, 8)));
    cluster.server.apply("second", node("second"));
    wait_for(&mut tunmon, "second");
    cluster.server.delete("second");
    let was_there = Cell::new(false);
    let is_gone = |record: &Value| {
        was_there.set(was_there.get() || seen(record) == Some(Some("second")));
        was_there.get() && seen(record) == Some(None)
    };
    tunmon.wait_for("no name behind that", is_gone).unwrap();
    cluster.server.apply("third", node("third"));
    wait_for(&mut tunmon, "third");
    let history = history(&tunmon.stop().unwrap());
    let told: Vec<_> = history.iter().flatten().cloned().collect();
    assert_eq!(told, ["first", "second", "third"], "{history:?}");
    let position = |name: &str| history.iter().position(|had| had.as_deref() == Some(name)).unwrap();
    assert_eq!(history[position("second") + 1], None, "it was deleted: {history:?}");
    assert_eq!((lists(&cluster.server), watches(&cluster.server).len()), (1, 1), "{:?}", cluster.server.requests());
}

#[test]
fn long_lists_come_in_pages() {
    let Some(cluster) = Cluster::create() else { return };
    for number in 0..120 {
        cluster.server.apply(&format!("n{number:03}"), at("n", Ipv4Addr::new(198, 51, 100, number)));
    }
    cluster.server.apply("z-last", node("z-last"));
    let mut tunmon = cluster.watch();
    wait_for(&mut tunmon, "z-last");
    tunmon.stop().unwrap().summary().unwrap();
    let pages = cluster.server.requests().iter().filter(|path| path.contains("limit=25")).count();
    assert_eq!(pages, 5);
}

#[test]
fn a_version_that_is_gone_is_listed_anew() {
    let Some(cluster) = Cluster::create() else { return };
    cluster.server.apply("before", node("before"));
    let mut tunmon = cluster.watch();
    wait_for(&mut tunmon, "before");
    cluster.server.forget(|put| {
        put("before", None);
        put("after", Some(node("after")));
    });
    wait_for(&mut tunmon, "after");
    cluster.server.apply("after", at("after", Ipv4Addr::new(198, 51, 100, 8)));
    cluster.server.apply("last", node("last"));
    wait_for(&mut tunmon, "last");
    let report = tunmon.stop().unwrap();
    assert_eq!(lists(&cluster.server), 2);
    assert!(!report.stderr.contains("names from"), "that is no trouble: {}", report.stderr);
}

#[test]
fn names_stay_while_the_server_is_down_and_reports_keep_their_pace() {
    let Some(cluster) = Cluster::create() else { return };
    cluster.server.apply("before", node("before"));
    let mut tunmon = cluster.watch();
    wait_for(&mut tunmon, "before");
    cluster.server.is(Mode::Down);
    intervals(&mut tunmon, 20);
    // For a moment both have the address; the first one in the alphabet has its name.
    cluster.server.apply("after", node("after"));
    cluster.server.apply("before", at("before", Ipv4Addr::new(198, 51, 100, 8)));
    cluster.server.is(Mode::Good);
    wait_for(&mut tunmon, "after");
    let report = tunmon.stop().unwrap();
    let history = history(&report);
    let first = history.iter().position(|name| name.as_deref() == Some("before")).unwrap();
    assert_eq!(history[first..], names(&["before", "after"]), "no interval was without a name");
    assert!(report.stderr.contains("names from http://127.0.0.1"), "{}", report.stderr);
    let lengths = report.of("tunmon.interval/v1").map(|record| record["interval_seconds"].as_f64().unwrap());
    let longest = lengths.fold(0.0, f64::max);
    assert!(longest < 0.5, "an interval of 200 ms took {longest} s");
}

#[test]
fn a_refusal_is_told_with_its_code_and_what_to_grant() {
    for (code, advice) in
        [(403, "HTTP 403: RBAC forbids it; grant get, list, watch of nodes"), (401, "HTTP 401"), (500, "HTTP 500")]
    {
        let Some(cluster) = Cluster::create() else { return };
        cluster.server.is(Mode::Status(code));
        let mut tunmon = cluster.watch();
        wait::until("a question", Duration::from_secs(20), || Ok((lists(&cluster.server) > 1).then_some(()))).unwrap();
        cluster.server.apply("after", node("after"));
        cluster.server.is(Mode::Good);
        wait_for(&mut tunmon, "after");
        let report = tunmon.stop().unwrap();
        assert!(report.stderr.contains(advice), "{}", report.stderr);
        assert_eq!(report.stderr.matches("names from").count(), 1, "the same is told once: {}", report.stderr);
    }
}
