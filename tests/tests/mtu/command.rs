//! `tunmon mtu`: a record or a row for each peer, and nothing else.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{str, thread};

use serde_json::Value;
use tests::process::Process;
use tests::{tunmon, wait};

use super::support::{NARROW, Way, ends, path};

const PATIENCE: Duration = Duration::from_secs(30);

/// What the command prints with these arguments, while tunnel packets of several networks go both ways.
fn told(way: &Way, arguments: &str) -> String {
    let is_over = AtomicBool::new(false);
    let output = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                way.send(false, 1000, true);
                way.send(true, 1000, false);
                way.answer(false, 900);
                thread::sleep(Duration::from_millis(20));
            }
        });
        let output = tunmon::run(&way.near, &format!("mtu --iface eth0 {arguments}"));
        is_over.store(true, Ordering::Relaxed);
        output
    });
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn records(text: &str) -> Vec<Value> {
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(records.iter().all(|record| record["schema"] == "tunmon.mtu/v1"), "{text}");
    records
}

#[test]
fn each_peer_has_one_record_and_an_address_asks_for_its_own() {
    let Some(way) = Way::create(NARROW, "") else { return };
    way.learn(false);
    let records_of_all = records(&told(&way, "--duration 1s -o json"));
    let peers: Vec<_> = records_of_all.iter().map(|record| record["peer"].as_str().unwrap()).collect();
    assert_eq!(peers, [false, true].map(|ipv6| ends(ipv6)[1].to_string()));
    let [v4, v6] = records_of_all.as_slice() else { panic!("two peers") };
    assert_eq!((path(v4), path(v6)), ((1400, "cache", Some(1342)), (1500, "device", Some(1430))));
    let parts = &v4["overhead_parts"];
    let names = ["ip_bytes", "udp_bytes", "geneve_bytes", "options_bytes", "ethernet_bytes"];
    assert_eq!(names.map(|name| parts[name].as_u64().unwrap()), [20, 8, 8, 8, 14]);
    assert_eq!((&v4["tx_inner_length_max_bytes"], &v4["rx_inner_length_max_bytes"]), (&942.into(), &850.into()));
    assert_eq!((&v4["seen"], &v4["unused_inner_bytes"]), (&true.into(), &(1342 - 942).into()));
    assert_eq!((&v4["vnis"][0]["vni"], &v4["vnis"][0]["recommended_inner_mtu_bytes"]), (&1000.into(), &1342.into()));
    let asked = records(&told(&way, &format!("--duration 1s -o json {}", ends(true)[1])));
    assert_eq!(asked.iter().map(|record| &record["peer"]).collect::<Vec<_>>(), [&v6["peer"]]);
}

#[test]
fn the_table_of_a_peer_has_its_networks_and_its_overhead_word_by_word() {
    let Some(way) = Way::create(1500, "mtu 1400") else { return };
    let text = told(&way, &format!("--duration 1s -o text {}", ends(false)[1]));
    let lines: Vec<&str> = text.lines().collect();
    let words = |line: &str| line.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
    let expected = ["198.51.100.2", "50-58", "1500", "1400", "route", "900", "850", "1000", "942", "1342", "400"];
    assert_eq!(words(lines[2]), expected, "{text}");
    assert_eq!(words(lines[3])[..3], ["VNI", "1000", "50-58"], "{text}");
    assert_eq!(lines[4], "overhead 20 IPv4 + 8 UDP + 8 Geneve + 8 options + 14 Ethernet = 58");
    assert!(lines.len() == 5 && lines.iter().all(|line| line.chars().count() <= 110), "{text}");
}

#[test]
fn of_a_peer_that_was_not_seen_the_way_is_told() {
    let Some(way) = Way::create(NARROW, "") else { return };
    let one = |text: &str| records(text).pop().unwrap();
    way.learn(false);
    let run = |arguments: &str| {
        let output = tunmon::run(&way.near, &format!("mtu --iface eth0 --duration 100ms {arguments}")).unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let record = one(&run("-o json 198.51.100.2"));
    assert_eq!(
        (&record["seen"], &record["tx_packets"], &record["vnis"]),
        (&false.into(), &0.into(), &Value::Array(vec![]))
    );
    assert_eq!(path(&record), (1400, "cache", None));
    let text = run("-o text ::ffff:198.51.100.2");
    assert!(text.contains("no tunnel packet to or from 198.51.100.2 was seen"), "{text}");
    assert!(text.contains("the way to it takes 1400 cache "), "{text}");
    assert!(run("-o text 203.0.113.9").contains("this host has no route to it"));
    assert_eq!(one(&run("-o json 203.0.113.9"))["route"], Value::Null);
    assert!(run("-o text").contains("no tunnel packets were seen"));
}

#[test]
fn what_is_no_address_is_told_in_two_lines_before_anything_is_attached() {
    let Some(way) = Way::create(1500, "") else { return };
    let output = tunmon::run(&way.near, "mtu --iface none-such node-7").unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = str::from_utf8(&output.stderr).unwrap();
    assert!(text.starts_with("tunmon: \"node-7\" is no IP address\n  name the peer by its underlay address"), "{text}");
    assert_eq!((text.lines().count(), output.stdout.len()), (2, 0));
}

#[test]
fn ctrl_c_ends_the_watch_and_the_table_comes() {
    let Some(way) = Way::create(1500, "") else { return };
    let mut command = way.near.command(tunmon::binary().unwrap().to_str().unwrap());
    command.args(["mtu", "--iface", "eth0", "--duration", "1h", "-o", "text"]).stdout(Stdio::piped());
    let mut process = Process::spawn(command.stderr(Stdio::null())).unwrap();
    let is_attached = || Ok(way.near.run("ip link show eth0")?.contains("xdp").then_some(()));
    wait::until("the programs", PATIENCE, is_attached).unwrap();
    way.answer(false, 900);
    process.signal(libc::SIGINT).unwrap();
    let text = std::io::read_to_string(process.take_stdout().unwrap()).unwrap();
    assert!(process.wait(PATIENCE).unwrap().success());
    assert!(text.contains("198.51.100.2"), "{text}");
}
