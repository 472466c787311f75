//! ICMP errors that nobody should believe, and those that everybody should, sent to a device that carries a tunnel.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tests::bench::packets::{CLIENT, NODE, PEER, SERVER, ethernet_v4, geneve, icmp, ipv4, udp};
use tests::raw::{self, How};
use tests::tunmon::Tunmon;
use tests::{needs, netns, tunmon};

use super::support::found;

const ROUTER: [u8; 4] = [203, 0, 113, 1];
/// Of [`geneve`]'s header.
const VNI: u64 = 1000;

fn tunnel(ends: [[u8; 4]; 2]) -> Vec<u8> {
    let inner = ethernet_v4(&ipv4(17, 0, [CLIENT, SERVER], &udp([1000, 2000], &[0; 100])));
    ipv4(17, 0, ends, &udp([40_000, 6081], &geneve([0, 0, 0x65, 0x58], &[], &inner)))
}

/// An ICMP error from the router to this node that quotes `quoted`.
fn error(kind: u8, code: u8, quoted: &[u8]) -> Vec<u8> {
    ethernet_v4(&ipv4(1, 0, [ROUTER, NODE], &icmp(kind, code, [0, 0, 5, 0], quoted)))
}

/// What is found on a device that has received these frames behind a packet of the tunnel.
fn find(frames: &[Vec<u8>]) -> Option<Vec<Value>> {
    if let Some(reason) = tunmon::missing(&[needs::NETWORK]) {
        needs::skip(&reason);
        return None;
    }
    let [near, far] = netns::cable("d0").unwrap();
    let tunmon = Tunmon::start(&near, "d0", "--interval 200ms").unwrap();
    raw::send(&far, "d0", &[ethernet_v4(&tunnel([PEER, NODE]))], How::Whole).unwrap();
    raw::send(&far, "d0", frames, How::Whole).unwrap();
    let summary = tunmon.stop().unwrap().summary().unwrap();
    summary.check_identities().unwrap();
    Some(summary.findings)
}

#[test]
fn errors_about_packets_of_the_tunnel_are_found_by_type_and_code() {
    let quoted = tunnel([NODE, PEER]);
    let kinds = [(3, 4, "TM102"), (3, 3, "TM202"), (3, 13, "TM203"), (11, 0, "TM209")];
    let frames: Vec<_> = kinds.iter().map(|(kind, code, _)| error(*kind, *code, &quoted)).collect();
    let Some(findings) = find(&frames) else { return };
    let peer = std::net::Ipv4Addr::from(PEER).to_string();
    let expected = kinds.map(|(_, _, finding)| (finding.to_owned(), Some(VNI), Some(peer.clone())));
    assert_eq!(findings.iter().map(found).collect::<Vec<_>>(), expected);
}

#[test]
fn errors_about_what_was_never_sent_are_not_believed() {
    let stranger = [198, 18, 0, 9];
    let frames = [tunnel([stranger, PEER]), tunnel([NODE, stranger])].map(|quoted| error(3, 4, &quoted));
    let Some(findings) = find(&frames) else { return };
    assert_eq!(findings, Vec::<Value>::new());
}

#[test]
fn a_quote_of_eight_bytes_names_no_network_and_is_told_to_be_ignored() {
    let quoted = &tunnel([NODE, PEER])[..28];
    let Some(findings) = find(&[error(3, 4, quoted)]) else { return };
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((&finding["code"], &finding["vni"]), (&"TM102".into(), &Value::Null));
    assert_eq!(finding["evidence"]["quote_is_enough"], false);
}

/// A router inside the tunnel tells the client's pod that its packet to the server's pod is too big for 1280 bytes.
fn inner_too_big() -> Vec<u8> {
    let quoted = ipv4(17, 0x4000, [CLIENT, SERVER], &udp([1000, 2000], &[0; 1372]));
    let error = ipv4(1, 0, [[10, 200, 0, 254], CLIENT], &icmp(3, 4, [0, 0, 5, 0], &quoted[..548]));
    let geneve = geneve([0, 0, 0x65, 0x58], &[], &ethernet_v4(&error));
    ethernet_v4(&ipv4(17, 0, [PEER, NODE], &udp([40_000, 6081], &geneve)))
}

#[test]
fn a_pod_that_is_told_once_about_all_that_is_on_its_way_may_obey() {
    let Some(findings) = find(&vec![inner_too_big(); 40]) else { return };
    assert_eq!(findings, Vec::<Value>::new());
}

#[test]
fn a_pod_that_goes_on_after_it_was_told_is_named() {
    if let Some(reason) = tunmon::missing(&[needs::NETWORK]) {
        return needs::skip(&reason);
    }
    let [near, far] = netns::cable("d0").unwrap();
    let mut tunmon = Tunmon::start(&near, "d0", "--interval 200ms --events").unwrap();
    let is_over = AtomicBool::new(false);
    let finding = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                raw::send(&far, "d0", &[inner_too_big()], How::Whole).unwrap();
                thread::sleep(Duration::from_millis(300));
            }
        });
        let finding = tunmon.wait_for("TM107", |record| record["code"] == "TM107").cloned();
        is_over.store(true, Ordering::Relaxed);
        finding.unwrap()
    });
    assert_eq!((finding["vni"].as_u64(), &finding["peer"]["ip"]), (Some(VNI), &"172.31.7.2".into()));
    let evidence = &finding["evidence"];
    assert_eq!((&evidence["sender"], &evidence["receiver"]), (&"10.0.0.1".into(), &"10.200.0.1".into()));
    assert_eq!((&evidence["mtu_bytes"], &evidence["inner_length_max_bytes"]), (&1280.into(), &1400.into()));
    assert!(evidence["seconds"].as_f64() >= Some(2.0), "{finding}");
    let report = tunmon.stop().unwrap();
    let event = report.of("tunmon.event/v1").find(|event| event["kind"] == "icmp_error").unwrap();
    assert_eq!((&event["layer"], &event["reporter"]), (&"inner".into(), &"10.200.0.254".into()));
    report.summary().unwrap().check_identities().unwrap();
}
