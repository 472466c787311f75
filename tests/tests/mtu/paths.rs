//! The path MTU of a peer while tunmon watches, without any right left.

use std::time::{Duration, Instant};

use serde_json::Value;
use tests::bench::packets::{ethernet_v4, geneve, ipv4, udp};
use tests::raw::{self, How};
use tests::tunmon::Tunmon;

use super::support::{NARROW, Way, ends, number_behind, path, peer};

#[test]
fn a_healthy_path_takes_what_the_device_takes_and_pods_get_the_rest() {
    let Some(way) = Way::create(1500, "") else { return };
    for (ipv6, has_option, overhead) in [(false, false, 50), (false, true, 58), (true, false, 70), (true, true, 78)] {
        let tunmon = way.watch("");
        way.send(ipv6, 1200, has_option);
        way.answer(ipv6, 1100);
        let report = tunmon.stop().unwrap();
        report.summary().unwrap().check_identities().unwrap();
        let summary = report.records.last().unwrap();
        assert_eq!(summary["mtu_bytes"], 1500);
        let peer = peer(summary);
        assert_eq!(peer["peer"], ends(ipv6)[1].to_string());
        assert_eq!(path(peer), (1500, "device", Some(1500 - overhead)), "{peer}");
        assert_eq!(peer["route"]["cached"], false, "{peer}");
        assert_eq!(peer["overhead_parts"]["options_bytes"], if has_option { 8 } else { 0 });
        for row in [peer, &summary["vnis"][0]] {
            assert_eq!(
                (&row["tx_outer_length_max_bytes"], &row["rx_outer_length_max_bytes"]),
                (&1200.into(), &1100.into())
            );
            let short = if ipv6 { 70 } else { 50 };
            assert_eq!(
                (&row["tx_inner_length_max_bytes"], &row["rx_inner_length_max_bytes"]),
                (&(1200 - overhead).into(), &(1100 - short).into())
            );
            assert_eq!((&row["overhead_min_bytes"], &row["overhead_max_bytes"]), (&short.into(), &overhead.into()));
        }
        assert_eq!(peer["unused_inner_bytes"], 300);
    }
}

#[test]
fn the_mtu_of_a_route_is_the_paths() {
    let Some(way) = Way::create(1500, "mtu 1400") else { return };
    for ipv6 in [false, true] {
        let tunmon = way.watch("");
        if tunmon.start_record()["features"]["tcx"] == true {
            assert_eq!(tunmon.start_record()["capabilities"], serde_json::json!([]));
        }
        way.send(ipv6, 1400, false);
        let report = tunmon.stop().unwrap();
        let peer = peer(report.records.last().unwrap());
        let overhead = if ipv6 { 70 } else { 50 };
        assert_eq!(path(peer), (1400, "route", Some(1400 - overhead)), "{peer}");
        assert_eq!((&peer["route"]["cached"], &peer["route"]["locked"]), (&false.into(), &false.into()));
        assert_eq!(peer["unused_inner_bytes"], Value::Null);
    }
}

#[test]
fn what_the_kernel_has_learned_is_the_paths_mtu_with_its_end() {
    let Some(way) = Way::create(NARROW, "") else { return };
    for ipv6 in [false, true] {
        let mut tunmon = way.watch("");
        way.send(ipv6, 1000, false);
        tunmon.wait_for("the healthy path", |record| record["peers"][0]["path_mtu_bytes"] == 1500).unwrap();
        let earlier = way.learn(ipv6);
        let spoken = Instant::now();
        let narrow =
            tunmon.wait_for("the narrow path", |record| record["peers"][0]["path_mtu_source"] == "cache").unwrap();
        // At the next report after the router has spoken, not when the last answer is old.
        assert!(spoken.elapsed() < Duration::from_secs(8), "{:?}", spoken.elapsed());
        assert_eq!(
            (&peer(narrow)["path_mtu_before_bytes"], &peer(narrow)["icmp_mtu_bytes"]),
            (&1500.into(), &NARROW.into())
        );
        let report = tunmon.stop().unwrap();
        let later = way.asked(ipv6);
        let peer = peer(report.records.last().unwrap());
        let mtu = number_behind(&earlier, "mtu").unwrap();
        let overhead = if ipv6 { 70 } else { 50 };
        assert_eq!(path(peer), (mtu, "cache", Some(mtu - overhead)), "{peer}");
        assert_eq!((mtu, &peer["route"]["cached"]), (NARROW.into(), &true.into()));
        let left = peer["route"]["expires_seconds"].as_f64().unwrap();
        let [most, least] = [&earlier, &later].map(|text| number_behind(text, "expires").unwrap() as f64);
        assert!(least <= left && left <= most + 1.0, "{least} <= {left} <= {most}");
        let found: Vec<_> = report.of("tunmon.finding/v1").map(|finding| finding["code"].clone()).collect();
        assert!(found.contains(&"TM102".into()), "{found:?}");
    }
}

#[test]
fn what_was_learned_before_tunmon_began_is_known_too() {
    let Some(way) = Way::create(NARROW, "") else { return };
    way.learn(false);
    let tunmon = way.watch("");
    way.send(false, 1000, false);
    let report = tunmon.stop().unwrap();
    assert_eq!(path(peer(report.records.last().unwrap())), (1400, "cache", Some(1350)));
}

#[test]
fn another_mtu_of_the_device_is_the_paths_from_then_on() {
    let Some(way) = Way::create(1500, "") else { return };
    let mut tunmon = way.watch("");
    way.send(false, 1000, false);
    let wait = |tunmon: &mut Tunmon, mtu: u64| {
        let is_it =
            |record: &Value| record["schema"] == "tunmon.interval/v1" && record["peers"][0]["path_mtu_bytes"] == mtu;
        tunmon.wait_for(&format!("a path of {mtu}"), is_it).unwrap().clone()
    };
    wait(&mut tunmon, 1500);
    way.near.ip(&["link set eth0 mtu 1450"]).unwrap();
    let record = wait(&mut tunmon, 1450);
    assert_eq!(path(peer(&record)), (1450, "device", Some(1400)));
    assert_eq!(peer(&record)["path_mtu_before_bytes"], 1500);
    tunmon.stop().unwrap();
}

#[test]
fn a_route_by_another_device_is_as_narrow_as_that_device() {
    let Some(way) = Way::create(1500, "") else { return };
    let lines = [
        "link add other mtu 1300 type veth peer name back",
        "link set back up",
        "link set other up",
        "route add 198.51.100.2/32 dev other",
    ];
    way.near.ip(&lines).unwrap();
    let tunmon = way.watch("");
    way.answer(false, 1000);
    let report = tunmon.stop().unwrap();
    let peer = peer(report.records.last().unwrap());
    assert_eq!(path(peer), (1300, "route", Some(1250)), "{peer}");
    assert_eq!((&peer["route"]["device"], &peer["route"]["device_mtu_bytes"]), (&"other".into(), &1300.into()));
}

#[test]
fn of_hundreds_of_peers_each_way_is_asked_for() {
    const PEERS: u16 = 600;
    let Some(way) = Way::create(1500, "") else { return };
    way.near.ip(&["route add 10.99.0.0/16 via 192.0.2.254 mtu 1400"]).unwrap();
    let mut tunmon = way.watch("--max-peers 1024");
    let frame = |number: u16| {
        let [high, low] = number.to_be_bytes();
        let inner = ethernet_v4(&ipv4(17, 0, [[10, 0, 0, 1], [10, 0, 0, 2]], &udp([1, 2], &[0; 100])));
        let outer = udp([1000, 6081], &geneve([0, 0, 0x65, 0x58], &[], &inner));
        ethernet_v4(&ipv4(17, 0x4000, [[10, 99, high, low], [192, 0, 2, 1]], &outer))
    };
    let frames: Vec<_> = (0..PEERS).map(frame).collect();
    raw::send(&way.router, "r0", &frames, How::Whole).unwrap();
    let asked = |record: &Value| {
        let peers = record["peers"].as_array().cloned().unwrap_or_default();
        peers.iter().filter(|peer| peer["path_mtu_source"] == "route" && peer["path_mtu_bytes"] == 1400).count()
    };
    // A batch a report: the first one has no room for all.
    let first = tunmon.wait_for("peers", |record| asked(record) != 0).unwrap();
    assert!(asked(first) <= 256, "{}", asked(first));
    let all = tunmon.wait_for("all peers", |record| asked(record) == usize::from(PEERS)).unwrap();
    // That a way was asked for later is no change of the way.
    assert!(all["peers"].as_array().unwrap().iter().all(|peer| peer["path_mtu_before_bytes"].is_null()));
    let report = tunmon.stop().unwrap();
    assert_eq!(asked(report.records.last().unwrap()), usize::from(PEERS));
}
