//! Two OVN chassis: names appear by themselves.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::lab::{Lab, OVN_VNIS, Options};
use tests::needs;
use tests::ping::Ping;
use tests::tcpdump::{Capture, Direction};
use tests::tunmon::{self, Tunmon};

use super::support;

#[test]
fn names_of_an_ovn_node_appear_by_themselves_on_the_device_of_its_tunnels() {
    if let Some(reason) = tunmon::missing(&[needs::NETWORK, needs::OVS, needs::OVN]) {
        return needs::skip(&reason);
    }
    let lab = Lab::ovn(Options::default()).unwrap();
    // The address of the endpoint is br-phy's, whose only port to the outside is eth0.
    let arguments = format!("--ovs-db {} --events --interval 500ms", lab.database(1));
    let mut tunmon = Tunmon::start(lab.node(1), "auto", &arguments).unwrap();
    assert_eq!(tunmon.start_record()["devices"][0]["device"], "eth0");
    let switch = support::source(&mut tunmon, "ovs", "up", 1);
    let southbound = support::source(&mut tunmon, "ovn_sb", "up", 1);
    assert_eq!((&switch["entries"], &southbound["from"]), (&Value::from(2), &Value::from("tcp:192.168.50.100:6642")));
    let of_itself = &switch["switch"];
    assert_eq!((text(&of_itself["encap_type"]), text(&of_itself["system_id"])), ("geneve", "chassis-1"), "{switch}");
    assert_eq!(
        (&of_itself["encap_ips"], text(&of_itself["remote"])),
        (&json!(["192.168.50.1"]), "tcp:192.168.50.100:6642")
    );
    let is_known = |record: &Value| {
        record["schema"] == "tunmon.event/v1" && record["src_pod"] == "p11" && record["dst_pod"] == "p22"
    };
    for (from, to) in [("p11", "p22"), ("p11", "p21")] {
        Ping { count: 3, ..Ping::to(lab.pod(to).ipv4) }.run(&lab.pod(from).namespace).unwrap();
    }
    tunmon.wait_for("a round trip between pods with names", is_known).unwrap();

    let report = tunmon.stop().unwrap();
    report.summary().unwrap();
    let summary = report.records.last().unwrap();
    let names: Vec<(u64, &str)> =
        rows(summary, "vnis").map(|row| (row["vni"].as_u64().unwrap(), text(&row["network"]))).collect();
    assert_eq!(names, [(OVN_VNIS[0].into(), "ls0"), (OVN_VNIS[1].into(), "ls1")]);
    let peers: Vec<(&str, &str)> = rows(summary, "peers").map(|row| (text(&row["peer"]), text(&row["node"]))).collect();
    assert_eq!(peers, [("192.168.50.2", "node2")]);
    assert_eq!(rows(summary, "peers").next().unwrap()["tunnel"]["csum"], true);
}

#[test]
fn port_keys_of_a_capture_have_the_names_of_the_database_that_is_named() {
    if let Some(reason) = tunmon::missing(&[needs::NETWORK, needs::OVS, needs::OVN, needs::CAPTURE]) {
        return needs::skip(&reason);
    }
    let lab = Lab::ovn(Options::default()).unwrap();
    let capture = Capture::start(lab.node(1), "eth0", Direction::Both, "udp port 6081").unwrap();
    Ping { count: 3, ..Ping::to(lab.pod("p21").ipv4) }.run(&lab.pod("p11").namespace).unwrap();
    let pcap = capture.stop().unwrap();
    let file = pcap.path().display();
    let read = |options: &str| {
        let output = tunmon::run(lab.node(1), &format!("read {file} --packets -o json {options}")).unwrap();
        assert!(output.status.success(), "{output:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        let records = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>();
        (records, String::from_utf8(output.stderr).unwrap())
    };
    let ends = |records: &[Value]| {
        let packets = records.iter().filter(|record| record["inner"]["icmp"]["type"] == 8);
        let ends = packets.map(|record| (record["ovn"]["ingress_name"].clone(), record["ovn"]["egress_name"].clone()));
        ends.collect::<Vec<_>>()
    };
    let named = vec![(json!("p11"), json!("p21")); 3];
    assert_eq!(ends(&read("--ovn-sb tcp:192.168.50.100:6642").0), named);
    assert_eq!(ends(&read(&format!("--ovs-db {}", lab.database(1))).0), named, "the switch says where it is");

    let nameless = vec![(Value::Null, Value::Null); 3];
    assert_eq!(ends(&read("").0), nameless, "a capture need not be of this node");
    let begun = Instant::now();
    assert_eq!(ends(&read("--ovs-db off").0), nameless);
    assert!(begun.elapsed() < Duration::from_secs(9), "nobody is asked, and nobody waited for");
    let (records, _) = read("--ovn-sb tcp:127.0.0.1:1");
    assert_eq!(ends(&records), nameless);
    let source = records.iter().find(|record| record["schema"] == "tunmon.source/v1").unwrap();
    assert_eq!(source["state"], "down", "{source}");
}

fn rows<'a>(record: &'a Value, table: &str) -> impl Iterator<Item = &'a Value> {
    record[table].as_array().unwrap().iter()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}
