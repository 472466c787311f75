//! Peers that do not answer, or not by every method.

use std::net::UdpSocket;
use std::time::Duration;

use super::support::{PEERS, ROUTERS, Underlay, filter};

#[test]
fn a_peer_that_answers_nothing_is_told_after_ten_small_packets() {
    let Some(underlay) = Underlay::create(&[]) else { return };
    underlay.router.ip(&["route replace blackhole 192.0.2.9"]).unwrap();
    let probed = underlay.probe(PEERS[0]);
    assert_eq!((probed.code, &probed.record["state"]), (1, &"no_answer".into()), "{}", probed.record);
    assert_eq!((probed.number("packets"), &probed.record["ended"]), (Some(10), &"silent".into()));
    assert_eq!(probed.record.get("path_mtu_bytes"), None);
    assert!(probed.took < Duration::from_secs(13), "{:?}", probed.took);
}

#[test]
fn who_says_that_there_is_no_way_is_named() {
    let Some(underlay) = Underlay::create(&[]) else { return };
    underlay.router.ip(&["route replace prohibit 192.0.2.9"]).unwrap();
    let probed = underlay.probe(PEERS[0]);
    assert_eq!((probed.code, &probed.record["state"]), (1, &"no_answer".into()), "{}", probed.record);
    let refusal = &probed.record["refusal"];
    assert_eq!((&refusal["reporter"], &refusal["type"], &refusal["code"]), (&ROUTERS[0].into(), &3.into(), &13.into()));
    assert!(probed.record["fix"].as_str().unwrap().contains("forbidden"), "{}", probed.record);
}

#[test]
fn echo_is_used_where_a_filter_drops_udp() {
    let Some(underlay) = Underlay::create(&["nft"]) else { return };
    filter(&underlay.far, "input", "udp dport 33434 drop");
    underlay.narrow("ra", 1400);
    let probed = underlay.probe(PEERS[0]);
    assert_eq!((probed.code, probed.flows()), (3, vec![(Some(1400), Some(1401))]), "{}", probed.record);
    assert_eq!(probed.record["method"], "icmp");
}

#[test]
fn a_port_on_which_somebody_listens_gives_no_answer_and_another_one_does() {
    let Some(underlay) = Underlay::create(&[]) else { return };
    let _listener = {
        let _inside = underlay.far.enter().unwrap();
        UdpSocket::bind("0.0.0.0:40000").unwrap()
    };
    let probed = underlay.probe(&format!("{} --method udp --udp-port 40000", PEERS[0]));
    assert_eq!((probed.code, &probed.record["state"]), (1, &"no_answer".into()), "{}", probed.record);
    let probed = underlay.probe(&format!("{} --method udp --udp-port 40001", PEERS[0]));
    assert_eq!((probed.code, &probed.record["state"]), (0, &"whole".into()), "{}", probed.record);
}

#[test]
fn loss_hides_no_size_and_is_told() {
    let Some(underlay) = Underlay::create(&["nft"]) else { return };
    underlay.narrow("ra", 1400);
    underlay.mute();
    filter(&underlay.far, "input", "numgen random mod 10 0 drop");
    let probed = underlay.probe(&format!("{} --method icmp", PEERS[0]));
    let (passes, _) = probed.flows()[0];
    assert!(passes.is_some_and(|passes| passes <= 1400), "{}", probed.record);
    assert_eq!(probed.code, 3);
}
