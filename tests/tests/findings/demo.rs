//! The demo's cable with each fault, and without.

use serde_json::Value;

use super::support::{found, of_summary, run};

/// The records of five seconds of the demo with this fault.
fn demo(fault: &str) -> Option<Vec<Value>> {
    demo_for(fault, "5s")
}

fn demo_for(fault: &str, duration: &str) -> Option<Vec<Value>> {
    run(&["demo", "--duration", duration, "--interval", "500ms", "--fault", fault], true)
}

fn codes(findings: &[Value]) -> Vec<(String, Option<u64>)> {
    findings.iter().map(found).map(|(code, vni, _)| (code, vni)).collect()
}

#[test]
fn a_router_that_reports_its_mtu_is_found_for_every_network() {
    let Some(records) = demo("mtu-icmp") else { return };
    let mut findings = of_summary(&records);
    let expected = ["TM102", "TM103"].map(|code| [100, 200, 300].map(|vni| (code.to_owned(), Some(vni)))).concat();
    assert_eq!(codes(&findings), expected);
    // What a router has told is held against the handshakes of later connections.
    let predicted = findings.split_off(3);
    assert!(predicted.iter().all(|finding| finding["evidence"]["path_mtu_bytes"] == 1400), "{predicted:?}");
    for (finding, (reporter, recommended)) in
        findings.iter().zip([("192.0.2.254", 1342), ("192.0.2.254", 1342), ("2001:db8::fe", 1330)])
    {
        let evidence = &finding["evidence"];
        assert_eq!((&evidence["reporter"], &evidence["next_hop_mtu_bytes"]), (&reporter.into(), &1400.into()));
        assert_eq!(evidence["recommended_inner_mtu_bytes"], recommended, "{finding}");
        assert!(evidence["lost_length_bytes"].as_u64().unwrap() > 1400, "{finding}");
        assert_eq!(evidence["quote_is_enough"], true);
    }
    let raised = records.iter().filter(|record| record["schema"] == "tunmon.finding/v1" && record["state"] == "raised");
    assert_eq!(raised.count(), 6);
}

#[test]
fn a_router_that_cuts_packets_is_found_where_it_does() {
    let Some(records) = demo("mtu-fragment") else { return };
    let findings = of_summary(&records);
    let expected = ["TM104", "TM106"].map(|code| [100, 200].map(|vni| (code.to_owned(), Some(vni)))).concat();
    assert_eq!(codes(&findings), expected);
    for finding in findings.iter().filter(|finding| finding["code"] == "TM104") {
        assert_eq!((&finding["evidence"]["direction"], &finding["peer"]["ip"]), (&"rx".into(), &"192.0.2.2".into()));
    }
}

#[test]
fn a_path_that_swallows_long_packets_is_found_both_ways_with_its_sizes() {
    let Some(records) = demo_for("mtu-blackhole", "10s") else { return };
    let findings = of_summary(&records);
    assert_eq!(codes(&findings), [100, 200, 300].map(|vni| ("TM101".to_owned(), Some(vni))));
    for finding in &findings {
        let evidence = &finding["evidence"];
        let bytes = |name: &str| evidence[name].as_u64().unwrap();
        let (lost, delivered) = (bytes("lost_length_bytes"), bytes("delivered_length_bytes"));
        assert!(delivered <= 1400 && (1401..=1500).contains(&lost), "{finding}");
        assert!(bytes("recommended_inner_mtu_bytes") <= 1400 - bytes("overhead_bytes"), "{finding}");
        assert!(["tx", "both"].contains(&evidence["direction"].as_str().unwrap()), "{finding}");
    }
}

#[test]
fn pods_that_send_more_than_their_own_node_can_are_found_with_what_was_refused() {
    let Some(records) = demo("mtu-local") else { return };
    if records[0]["features"]["refused_sends"] != true {
        return tests::needs::skip("this kernel does not show what a packet socket refuses");
    }
    // Later ones may tell of connections only: who is not answered sends less and less.
    let is_raised = |record: &&Value| record["code"] == "TM108" && record["state"] == "raised";
    let mut local: Vec<_> = records.iter().filter(is_raised).collect();
    // They may be raised in different intervals.
    local.sort_by_key(|finding| finding["vni"].as_u64());
    for (finding, (vni, length, fits)) in local.iter().zip([(100, 1558, 1442), (200, 1550, 1450), (300, 1570, 1430)]) {
        let evidence = &finding["evidence"];
        assert_eq!((&finding["vni"], &evidence["lost_length_bytes"]), (&vni.into(), &length.into()), "{finding}");
        assert_eq!((&evidence["symbol"], &evidence["reason"]), (&"packet_sendmsg".into(), &"EMSGSIZE".into()));
        assert!(evidence["recommended_inner_mtu_bytes"].as_u64().is_none_or(|mtu| mtu <= fits), "{finding}");
    }
    assert_eq!(local.len(), 3, "{local:?}");
}

#[test]
fn without_a_fault_or_with_another_one_nothing_of_this_is_found() {
    for fault in ["none", "latency", "loss"] {
        let Some(records) = demo(fault) else { return };
        assert_eq!(of_summary(&records), Vec::<Value>::new(), "{fault}");
        assert!(records.iter().all(|record| record["schema"] != "tunmon.finding/v1"), "{fault}");
    }
}
