//! Filters in clsact, on kernels without TCX: what a killed run leaves, and what others have hung there.

use tests::needs;
use tests::tunmon::Tunmon;

use super::support::{FEW, Pair, geneve};

/// A pair on a kernel without TCX, or `None` after having said why not.
fn without_tcx() -> Option<Pair> {
    let pair = Pair::create()?;
    let tunmon = Tunmon::start(&pair.near, "d0", "").unwrap();
    let has_tcx = tunmon.start_record()["features"]["tcx"] == true;
    tunmon.stop().unwrap();
    if has_tcx {
        needs::skip("this kernel has TCX, and nothing is left there");
        return None;
    }
    Some(pair)
}

fn filters(pair: &Pair) -> String {
    ["ingress", "egress"].map(|hook| pair.near.run(&format!("tc filter show dev d0 {hook}")).unwrap()).concat()
}

fn qdiscs(pair: &Pair) -> String {
    pair.near.run("tc qdisc show dev d0").unwrap()
}

#[test]
fn what_a_killed_run_has_left_is_removed_by_the_next_one() {
    let Some(pair) = without_tcx() else { return };
    let before = qdiscs(&pair);
    for ingress in ["tc", "xdp"] {
        Tunmon::start(&pair.near, "d0", &format!("--ingress {ingress}")).unwrap().stop_by(libc::SIGKILL).unwrap();
        assert!(filters(&pair).contains("tunmon_tc_tx"), "{}", filters(&pair));
    }
    let next = Tunmon::start(&pair.near, "d0", "").unwrap();
    assert_eq!(filters(&pair).matches("0x6081 tunmon_tc_").count(), 1, "{}", filters(&pair));
    pair.send("d0");
    assert_eq!(geneve(&next.stop().unwrap().summary().unwrap()), FEW as u64);
    assert_eq!(filters(&pair), "");
    pair.near.run("tc qdisc del dev d0 clsact").unwrap();
    assert_eq!(qdiscs(&pair), before);
}

#[test]
fn living_runs_and_filters_of_others_are_left_alone() {
    let Some(pair) = without_tcx() else { return };
    pair.near.run("tc qdisc add dev d0 clsact").unwrap();
    pair.near.run("tc filter add dev d0 ingress prio 1 protocol ip matchall action ok").unwrap();
    let foreign = (qdiscs(&pair), filters(&pair));
    let first = Tunmon::start(&pair.near, "d0", "--ingress tc").unwrap();
    let second = Tunmon::start(&pair.near, "d0", "--ingress tc").unwrap();
    assert_eq!(filters(&pair).matches("0x6081 tunmon_tc_rx").count(), 2, "{}", filters(&pair));
    assert!(pair.run("detach").status.success());
    assert_eq!(filters(&pair).matches("0x6081 tunmon_tc_tx").count(), 2, "{}", filters(&pair));
    for run in [first, second] {
        run.stop().unwrap();
    }
    assert_eq!((qdiscs(&pair), filters(&pair)), foreign);
}

#[test]
fn detach_removes_what_killed_runs_have_left() {
    let Some(pair) = without_tcx() else { return };
    Tunmon::start(&pair.near, "d0", "").unwrap().stop_by(libc::SIGKILL).unwrap();
    let output = pair.run("detach -o text");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("removed the filter d0 tunmon_tc_tx 49081"), "{said}");
    assert_eq!(filters(&pair), "");
}

#[test]
fn a_foreign_ingress_qdisc_is_named_and_stays() {
    let Some(pair) = without_tcx() else { return };
    pair.near.run("tc qdisc add dev d0 ingress").unwrap();
    let before = qdiscs(&pair);
    let output = pair.run("-i d0 --duration 1s");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("an ingress qdisc is on d0"), "{said}");
    assert_eq!(qdiscs(&pair), before);
    assert!(!pair.near.run("ip -d link show d0").unwrap().contains("prog/xdp"));
}
