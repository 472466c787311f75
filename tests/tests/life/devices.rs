//! What becomes of the devices while tunmon runs: they go and come, change, and are bared, and the counts go on.

use std::time::{Duration, Instant};

use tests::needs;
use tests::netns::Namespace;
use tests::tunmon::Tunmon;

use super::support::{FEW, Pair, VNI, geneve, wait_for};

/// How long the programs may be away after a device is back.
const BACK: Duration = Duration::from_secs(2);

#[test]
fn the_counts_go_on_when_a_device_is_made_anew() {
    let Some(pair) = Pair::create() else { return };
    let mut tunmon = Tunmon::start(&pair.near, "d0", "--interval 200ms").unwrap();
    let mut expected = 0;
    let (mut least, mut most) = (Duration::ZERO, Duration::ZERO);
    for round in 1..=3 {
        pair.send("d0");
        expected += FEW as u64;
        let before = Instant::now();
        pair.near.ip(&["link del d0"]).unwrap();
        wait_for(&mut tunmon, "d0", "lost", round);
        let gone = Instant::now();
        pair.join("d0");
        least += gone.elapsed();
        let back = Instant::now();
        let record = wait_for(&mut tunmon, "d0", "attached", round);
        assert!(back.elapsed() < BACK, "{:?}", back.elapsed());
        most += before.elapsed();
        let told = Duration::from_secs_f64(record["blind_seconds"].as_f64().unwrap());
        // The device is there again before the command that makes it has ended.
        assert!(told <= most && told + Duration::from_secs(1) > least, "{told:?}, not {least:?} to {most:?}");
    }
    pair.send("d0");
    expected += FEW as u64;
    let report = tunmon.stop().unwrap();
    let summary = report.summary().unwrap();
    summary.check_identities().unwrap();
    assert_eq!(geneve(&summary), expected);
    let [row] = summary.vnis.as_slice() else { panic!("one network, not {:?}", summary.vnis) };
    assert_eq!((row.vni, row.rx_packets), (VNI, expected));
}

#[test]
fn a_renamed_or_resized_device_or_one_that_is_down_for_a_while_stays_attached() {
    let Some(pair) = Pair::create() else { return };
    let mut tunmon = Tunmon::start(&pair.near, "d0", "--interval 200ms").unwrap();
    pair.send("d0");
    pair.near.ip(&["link set d0 down", "link set d0 name e0", "link set e0 up"]).unwrap();
    assert_eq!(wait_for(&mut tunmon, "d0", "renamed", 1)["detail"], "e0");
    pair.near.ip(&["link set e0 mtu 1400"]).unwrap();
    assert_eq!(wait_for(&mut tunmon, "e0", "resized", 1)["mtu_bytes"], 1400);
    pair.send("d0");
    let report = tunmon.stop().unwrap();
    let summary = report.summary().unwrap();
    assert_eq!(geneve(&summary), 2 * FEW as u64);
    assert_eq!(summary.device, "e0");
    assert_eq!(report.of("tunmon.device/v1").filter(|record| record["state"] == "lost").count(), 0);
    let overhead = 50;
    assert_eq!(summary.peers[0].recommended_inner_mtu_bytes, Some(1400 - overhead));
}

#[test]
fn a_device_in_another_namespace_is_let_go_and_taken_again_when_it_returns() {
    let Some(pair) = Pair::create() else { return };
    let mut tunmon = Tunmon::start(&pair.near, "d0", "--interval 200ms").unwrap();
    let away = Namespace::create("away").unwrap();
    pair.near.ip(&[format!("link set d0 netns {}", away.name())]).unwrap();
    wait_for(&mut tunmon, "d0", "lost", 1);
    let shown = away.run("ip -d link show d0").unwrap();
    assert!(!shown.contains("xdp"), "{shown}");
    away.ip(&[format!("link set d0 netns {}", pair.near.name())]).unwrap();
    wait_for(&mut tunmon, "d0", "attached", 1);
    pair.near.ip(&["link set d0 up"]).unwrap();
    pair.send("d0");
    assert_eq!(geneve(&tunmon.stop().unwrap().summary().unwrap()), FEW as u64);
}

#[test]
fn a_pattern_takes_devices_that_appear_later() {
    let Some(pair) = Pair::create() else { return };
    let mut tunmon = Tunmon::start(&pair.near, "d*", "--interval 200ms").unwrap();
    pair.join("x1");
    pair.join("d1");
    wait_for(&mut tunmon, "d1", "attached", 1);
    for device in ["d0", "d1", "d1", "x1"] {
        pair.send(device);
    }
    let report = tunmon.stop().unwrap();
    let counted: Vec<_> = report
        .of("tunmon.summary/v1")
        .map(|record| (record["device"].as_str().unwrap(), record["accounting"]["classes"]["geneve"].as_u64().unwrap()))
        .collect();
    assert_eq!(counted, [("d0", FEW as u64), ("d1", 2 * FEW as u64)]);
}

#[test]
fn programs_that_somebody_detached_are_attached_again() {
    let Some(pair) = Pair::create() else { return };
    let mut tunmon = Tunmon::start(&pair.near, "d0", "--interval 200ms --ingress tc").unwrap();
    if tunmon.start_record()["devices"][0]["egress"] != "clsact" {
        needs::skip("nobody can take a link from its owner");
        return;
    }
    pair.near.run("tc qdisc del dev d0 clsact").unwrap();
    // Nothing tells of it; a change of any device makes tunmon look at once.
    pair.near.ip(&["link set d0 mtu 1400"]).unwrap();
    wait_for(&mut tunmon, "d0", "lost", 1);
    wait_for(&mut tunmon, "d0", "attached", 1);
    pair.send("d0");
    assert_eq!(geneve(&tunmon.stop().unwrap().summary().unwrap()), FEW as u64);
}

#[test]
fn a_storm_of_devices_is_lived_through() {
    let Some(pair) = Pair::create() else { return };
    let mut tunmon = Tunmon::start(&pair.near, "d0", "--interval 200ms").unwrap();
    let storm: Vec<String> = (0..100)
        .flat_map(|number| {
            [format!("link add s{number} type veth peer name t{number}"), format!("link set s{number} up")]
        })
        .chain((0..100).map(|number| format!("link del s{number}")))
        .collect();
    for _ in 0..3 {
        pair.near.ip(&storm).unwrap();
    }
    pair.make_anew(&mut tunmon, 1);
    pair.send("d0");
    assert_eq!(geneve(&tunmon.stop().unwrap().summary().unwrap()), FEW as u64);
}

#[test]
fn the_run_ends_with_an_error_when_a_device_goes_and_it_must_not() {
    let Some(pair) = Pair::create() else { return };
    let tunmon = Tunmon::start(&pair.near, "d0", "--interval 200ms --exit-on-loss").unwrap();
    pair.send("d0");
    pair.near.ip(&["link del d0"]).unwrap();
    let report = tunmon.wait().unwrap();
    assert_eq!(report.status.code(), Some(1));
    assert!(report.stderr.contains("a watched device is gone"), "{}", report.stderr);
    let last = report.records.last().unwrap();
    assert_eq!((&last["schema"], &last["accounting"]["classes"]["geneve"]), (&"tunmon.summary/v1".into(), &FEW.into()));
}
