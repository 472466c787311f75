//! Which hook is taken where, what is refused, and with which words.

use tests::needs;
use tests::netns::Namespace;
use tests::tunmon::Tunmon;

use super::support::{Pair, geneve};

/// The start record's only device.
fn started(tunmon: &Tunmon) -> (String, String) {
    let device = &tunmon.start_record()["devices"][0];
    (device["ingress"].as_str().unwrap().to_owned(), device["refused"].to_string())
}

/// Adds a device, if this kernel knows its kind; says so if not.
fn add(namespace: &Namespace, line: &str) -> bool {
    match namespace.run(&format!("ip {line}")) {
        Ok(_) => true,
        Err(error) => {
            needs::skip(&format!("{error:#}"));
            false
        }
    }
}

#[test]
fn native_xdp_is_taken_where_it_disturbs_nothing() {
    let Some(pair) = Pair::create() else { return };
    let tunmon = Tunmon::start(&pair.near, "d0", "").unwrap();
    assert_eq!(started(&tunmon), ("xdp".into(), "[]".into()));
    assert_eq!(geneve(&tunmon.stop().unwrap().summary().unwrap()), 0);
}

#[test]
fn behind_generic_xdp_sizes_are_not_judged_and_that_is_said() {
    let Some(pair) = Pair::create() else { return };
    for (ingress, is_judged) in [("xdp", true), ("xdp-generic", false), ("tc", true)] {
        let tunmon = Tunmon::start(&pair.near, "d0", &format!("--ingress {ingress}")).unwrap();
        assert_eq!(tunmon.start_record()["devices"][0]["size_rules"], is_judged, "{ingress}");
        tunmon.stop().unwrap();
    }
}

#[test]
fn each_refused_rung_is_named_with_its_reason() {
    let Some(pair) = Pair::create() else { return };
    let kinds = [
        ("link add br0 type bridge", "br0", "a bridge device has no native XDP"),
        ("link add link d0 name u0 type macvlan", "u0", "a macvlan device has no native XDP"),
        ("link add link d0 name u1 type vlan id 7", "u1", "a vlan device has no native XDP"),
        ("link add bond0 type bond", "bond0", "a bond device has no native XDP"),
        ("link add y0 type dummy", "y0", "the driver dummy may reset the card"),
    ];
    for (line, device, reason) in kinds {
        if !add(&pair.near, line) {
            continue;
        }
        let tunmon = Tunmon::start(&pair.near, device, "").unwrap();
        let (ingress, refused) = started(&tunmon);
        assert!(["tcx", "clsact"].contains(&ingress.as_str()), "{ingress}");
        assert!(refused.contains(reason), "{refused}");
        tunmon.stop().unwrap();
    }
}

#[test]
fn devices_that_lie_upon_each_other_are_not_watched_together() {
    let Some(pair) = Pair::create() else { return };
    for line in ["link add link d0 name u0 type macvlan", "link add link d0 name u0 type vlan id 7"] {
        if !add(&pair.near, line) {
            continue;
        }
        let output = pair.run("-i d0,u0 --duration 1s");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("u0 lies upon d0: each packet would be seen twice"), "{said}");
        assert!(!pair.near.run("ip -d link").unwrap().contains("prog/xdp"));
        pair.near.ip(&["link del u0"]).unwrap();
    }
    pair.join("d1");
    if add(&pair.near, "link add bond0 type bond") {
        pair.near.ip(&["link set d1 down", "link set d1 master bond0"]).unwrap();
        let output = pair.run("-i d1,bond0 --duration 1s");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("bond0 lies upon d1"), "{output:?}");
    }
}

#[test]
fn another_xdp_program_is_named_and_left_alone() {
    let Some(pair) = Pair::create() else { return };
    // Another tunmon is another program.
    let other = Tunmon::start(&pair.near, "d0", "--ingress xdp").unwrap();
    let tunmon = Tunmon::start(&pair.near, "d0", "").unwrap();
    let (ingress, refused) = started(&tunmon);
    assert!(["tcx", "clsact"].contains(&ingress.as_str()), "{ingress}");
    assert!(refused.contains("another XDP program is attached: tunmon_xdp (id "), "{refused}");
    let output = pair.run("-i d0 --ingress xdp --duration 1s");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("XDP cannot be attached to d0: another XDP program is attached: tunmon_xdp"), "{said}");
    pair.send("d0");
    for run in [tunmon, other] {
        assert_eq!(geneve(&run.stop().unwrap().summary().unwrap()), super::support::FEW as u64);
    }
}
