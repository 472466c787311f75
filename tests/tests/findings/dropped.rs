//! Tunnel packets that this host drops for their length: they are seen where the kernel does it.

use std::time::Duration;

use serde_json::Value;
use tests::bench::packets::{CLIENT, NODE, PEER, SERVER, ethernet_v4, geneve, ipv4, udp};
use tests::lab::{DEVICE, Lab, Options};
use tests::netns::{self, Namespace};
use tests::ping::Ping;
use tests::raw::Sender;
use tests::scratch::Scratch;
use tests::tunmon::Tunmon;
use tests::{needs, tunmon};

use super::support::found;

/// Of [`geneve`]'s header.
const VNI: u64 = 1000;
/// Outer headers and inner ones.
const HEADERS: usize = 20 + 8 + 8 + 14 + 20 + 8;
const DF: u16 = 0x4000;

/// A tunnel packet of this IP length.
fn tunnel(length: usize, port: u16) -> Vec<u8> {
    let payload = vec![0; length - HEADERS];
    let inner = ethernet_v4(&ipv4(17, 0, [CLIENT, SERVER], &udp([1000, 2000], &payload)));
    let outer = udp([40_000, port], &geneve([0, 0, 0x65, 0x58], &[], &inner));
    ethernet_v4(&ipv4(17, DF, [NODE, PEER], &outer))
}

/// A cable of 1500 bytes, and a tunmon that prints events, or `None` after having said what is missing.
fn watched() -> Option<([Namespace; 2], Tunmon)> {
    if let Some(reason) = tunmon::missing(&[needs::NETWORK]) {
        needs::skip(&reason);
        return None;
    }
    let cable = netns::cable("d0").unwrap();
    let tunmon = Tunmon::start(&cable[0], "d0", "--interval 200ms --events").unwrap();
    sees(&tunmon, "drops").then_some((cable, tunmon))
}

fn sees(tunmon: &Tunmon, feature: &str) -> bool {
    let is_there = tunmon.start_record()["features"][feature] == true;
    if !is_there {
        needs::skip(&format!("this kernel shows no {feature}"));
    }
    is_there
}

/// Sends packets of these lengths; says which were refused.
fn send(namespace: &Namespace, lengths: &[usize], port: u16) -> Vec<usize> {
    let sender = Sender::open(namespace, "d0").unwrap();
    lengths.iter().copied().filter(|length| sender.send(&tunnel(*length, port)).is_err()).collect()
}

/// The findings of a run, and its events of drops.
fn end(tunmon: Tunmon) -> (Vec<Value>, Vec<Value>) {
    let report = tunmon.stop().unwrap();
    let summary = report.summary().unwrap();
    summary.check_identities().unwrap();
    // A packet socket that is closed drops its copies of what has passed.
    let is_drop = |event: &&Value| event["kind"] == "drop" && event["reason"] != "QUEUE_PURGE";
    let drops = report.of("tunmon.event/v1").filter(is_drop).cloned().collect();
    (summary.findings, drops)
}

#[test]
fn frames_that_a_packet_socket_refuses_are_found_with_peer_network_and_lengths() {
    let Some(([near, _far], tunmon)) = watched() else { return };
    if !sees(&tunmon, "refused_sends") {
        return;
    }
    // Up to four bytes too many may be a tag, and get as far as a packet of the kernel.
    assert_eq!(send(&near, &[1500, 1501, 1504, 1505, 1600], 6081), [1501, 1504, 1505, 1600]);
    let (findings, drops) = end(tunmon);
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    let peer = std::net::Ipv4Addr::from(PEER).to_string();
    assert_eq!(found(finding), ("TM108".to_owned(), Some(VNI), Some(peer)));
    let told = ["dropped", "lost_length_bytes", "longest_lost_length_bytes", "symbol", "reason", "device_mtu_bytes"];
    let expected: [Value; 6] =
        [4.into(), 1501.into(), 1600.into(), "packet_sendmsg".into(), "EMSGSIZE".into(), 1500.into()];
    assert_eq!(told.map(|name| finding["evidence"][name].clone()), expected);
    let (refused, dropped): (Vec<_>, Vec<_>) = drops.iter().partition(|event| event["refused"] == true);
    assert_eq!((refused.len(), dropped.len()), (4, 2), "{drops:?}");
}

#[test]
fn frames_that_fit_and_those_of_others_are_not_found() {
    let Some(([near, far], tunmon)) = watched() else { return };
    assert_eq!(send(&near, &[128, 1400, 1500], 6081), Vec::<usize>::new());
    assert_eq!(send(&near, &[1501, 1600], 53), [1501, 1600], "no tunnel port");
    assert_eq!(send(&far, &[1501, 1600], 6081), [1501, 1600], "another network namespace");
    let (findings, drops) = end(tunmon);
    assert_eq!((findings, drops), (vec![], vec![]));
}

#[test]
fn without_the_kernels_types_all_else_works() {
    if let Some(reason) = tunmon::missing(&[needs::NETWORK, &["unshare"]]) {
        return needs::skip(&reason);
    }
    let [near, far] = netns::cable("d0").unwrap();
    let scratch = Scratch::create("types").unwrap();
    let script = scratch.path().join("hide");
    // In a mount namespace of its own.
    std::fs::write(
        &script,
        "types=/sys/kernel/btf/vmlinux\n[ ! -e $types ] || mount --bind /dev/null $types || exit\nexec \"$@\"\n",
    )
    .unwrap();
    let wrapper = format!("unshare --mount sh {}", script.display());
    let tunmon = Tunmon::start_by(&near, &wrapper, "d0", "--interval 200ms --events").unwrap();
    let features = tunmon.start_record()["features"].clone();
    assert_eq!((&features["drops"], &features["refused_sends"]), (&false.into(), &false.into()));
    assert_eq!(send(&near, &[1400, 1600], 6081), [1600]);
    assert_eq!(send(&far, &[1400], 6081), Vec::<usize>::new());
    let report = tunmon.stop().unwrap();
    let summary = report.summary().unwrap();
    summary.check_identities().unwrap();
    assert_eq!((summary.vnis.len(), summary.findings.len()), (1, 0));
    assert_eq!((summary.vnis[0].rx_packets, summary.vnis[0].tx_packets), (1, 1));
}

#[test]
fn a_packet_too_long_to_be_forwarded_is_found_with_the_kernels_reason() {
    let Some(([near, far], tunmon)) = watched() else { return };
    if tunmon.start_record()["features"]["drop_reasons"] != true {
        return needs::skip("this kernel has no reasons of drops");
    }
    let beyond = Namespace::create("beyond").unwrap();
    netns::veth(netns::End::bare(&near, "d1"), netns::End::bare(&beyond, "d1"), 1400).unwrap();
    let node = std::net::Ipv4Addr::from(NODE);
    let peer = std::net::Ipv4Addr::from(PEER);
    let routes = [format!("route add {peer}/32 dev d1"), format!("route add {node}/32 dev d0")];
    near.ip(&routes).unwrap();
    let settings = [("ipv4/ip_forward", "1"), ("ipv4/conf/all/rp_filter", "0"), ("ipv4/conf/d0/rp_filter", "0")];
    near.sysctl(&settings).unwrap();
    let link: Value = serde_json::from_str(&near.run("ip -j link show d0").unwrap()).unwrap();
    let mac: Vec<u8> =
        link[0]["address"].as_str().unwrap().split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let mut frame = tunnel(1450, 6081);
    frame[..6].copy_from_slice(&mac);
    let sum = checksum(&frame[14..34]);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    Sender::open(&far, "d0").unwrap().send(&frame).unwrap();
    let (findings, _) = end(tunmon);
    let finding = findings.iter().find(|finding| finding["code"] == "TM108").expect("TM108");
    assert_eq!((&finding["vni"], &finding["peer"]["ip"]), (&VNI.into(), &peer.to_string().into()));
    let told = ["lost_length_bytes", "symbol", "reason"].map(|name| finding["evidence"][name].clone());
    let expected: [Value; 3] = [1450.into(), "ip_forward".into(), "PKT_TOO_BIG".into()];
    assert_eq!(told, expected);
}

/// Of an IPv4 header whose own is 0.
fn checksum(header: &[u8]) -> u16 {
    let words = header.as_chunks::<2>().0.iter().map(|word| u32::from(u16::from_be_bytes(*word)));
    let sum: u32 = words.sum();
    !((sum & 0xffff) + (sum >> 16)) as u16
}

/// The user-space switch with pods of this MTU on an underlay of 1500 bytes, and a watcher of node 1.
fn switch(pod_mtu: u16) -> Option<(Lab, Tunmon)> {
    if let Some(reason) = tunmon::missing(&[needs::NETWORK, needs::OVS]) {
        needs::skip(&reason);
        return None;
    }
    let lab = Lab::ovs(Options { pod_mtu, ..Options::default() }).unwrap();
    let tunmon = Tunmon::start(lab.node(1), DEVICE, "--interval 500ms --events").unwrap();
    (sees(&tunmon, "drops") && sees(&tunmon, "refused_sends")).then_some((lab, tunmon))
}

fn ping(lab: &Lab, payload_bytes: u32) -> u32 {
    let patience = Duration::from_millis(200);
    let ping = Ping { payload_bytes, dont_fragment: true, patience, ..Ping::to(lab.pod("p21").ipv4) };
    ping.run(&lab.pod("p11").namespace).unwrap().received
}

#[test]
fn pods_whose_packets_the_user_space_switch_cannot_send_are_found_within_ten_seconds() {
    let Some((lab, mut tunmon)) = switch(1500) else { return };
    assert_eq!(ping(&lab, 1472), 0);
    let is_raised = |record: &Value| record["schema"] == "tunmon.finding/v1" && record["code"] == "TM108";
    let before = std::time::Instant::now();
    let finding = tunmon.wait_for("TM108", is_raised).unwrap().clone();
    assert!(before.elapsed() < Duration::from_secs(10));
    assert_eq!(found(&finding), ("TM108".to_owned(), Some(100), Some(lab.outer(2).to_string())));
    assert_eq!(finding["evidence"]["lost_length_bytes"], 1550, "{finding}");
    end(tunmon);
}

#[test]
fn a_healthy_user_space_switch_is_not_accused() {
    let Some((lab, tunmon)) = switch(1450) else { return };
    assert_eq!(ping(&lab, 1422), 5);
    let (findings, drops) = end(tunmon);
    assert_eq!((findings, drops), (vec![], vec![]));
}
