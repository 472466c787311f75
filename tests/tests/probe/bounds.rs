//! What is sent, and how much of it.

use std::process::Stdio;
use std::time::Duration;

use tests::netns::{Traffic, traffic};
use tests::process::Process;
use tests::tcpdump::{Capture, Direction};
use tests::{tunmon, wait};

use super::support::{PEERS, Probed, Underlay};

#[test]
fn every_packet_is_counted_has_df_and_is_sent_to_no_tunnel() {
    let Some(underlay) = Underlay::create(&["nft", "tcpdump"]) else { return };
    underlay.mute();
    underlay.narrow("ra", 1400);
    for (peer, fragment) in [(PEERS[0], "ip[6:2] & 0x4000 == 0"), (PEERS[1], "ip6[6] == 44")] {
        for (method, mine) in [("udp", "udp dst port 33434"), ("icmp", "icmp[0] == 8 or icmp6[0] == 128")] {
            let capture = Capture::start(&underlay.near, "n0", Direction::Both, "").unwrap();
            let probed = underlay.probe(&format!("{peer} --method {method} --flows 2"));
            let pcap = capture.stop().unwrap();
            let count = |filter: &str| pcap.count(filter).unwrap().packets;
            assert_eq!(count(&format!("dst host {peer}")), probed.number("packets").unwrap(), "{}", probed.record);
            assert_eq!(count(&format!("dst host {peer} and ({mine})")), probed.number("packets").unwrap());
            assert_eq!(count(&format!("dst host {peer} and {fragment}")), 0);
            assert_eq!(count("udp port 6081"), 0);
            assert_eq!(count("greater 1515"), 0);
            // Nothing that is longer than the path takes is missing from the count of what was sent.
            assert!(count(&format!("dst host {peer} and greater 1415")) > 0);
        }
    }
}

#[test]
fn packets_and_time_are_bounded() {
    let Some(underlay) = Underlay::create(&["nft"]) else { return };
    underlay.mute();
    underlay.narrow("ra", 1400);
    let probed = underlay.probe(&format!("{} --max-packets 7", PEERS[0]));
    assert_eq!((probed.code, &probed.record["ended"]), (1, &"packets".into()), "{}", probed.record);
    assert_eq!((probed.number("packets"), &probed.record["state"]), (Some(7), &"unknown".into()));
    let probed = underlay.probe(&format!("{} --timeout 600ms", PEERS[0]));
    assert_eq!((probed.code, &probed.record["ended"]), (1, &"timeout".into()), "{}", probed.record);
    assert!(probed.took < Duration::from_secs(2), "{:?}", probed.took);
    underlay.router.ip(&["route replace blackhole 192.0.2.9"]).unwrap();
    let probed = underlay.probe(&format!("{} --timeout 600ms", PEERS[0]));
    assert_eq!((probed.code, &probed.record["state"]), (1, &"no_answer".into()), "{}", probed.record);
}

#[test]
fn an_interrupt_ends_it_with_what_is_known() {
    let Some(underlay) = Underlay::create(&["nft"]) else { return };
    underlay.mute();
    underlay.narrow("ra", 1400);
    let before = traffic(&underlay.near, "n0").unwrap();
    let mut command = underlay.near.command(tunmon::binary().unwrap().to_str().unwrap());
    command.args(["probe", "-o", "json", PEERS[0]]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = Process::spawn(&mut command).unwrap();
    let mut stdout = process.take_stdout().unwrap();
    wait::until("a few packets", Duration::from_secs(20), || {
        let Traffic { tx_packets, .. } = traffic(&underlay.near, "n0")?.since(before);
        Ok((tx_packets > 3).then_some(()))
    })
    .unwrap();
    process.signal(libc::SIGINT).unwrap();
    let status = process.wait(Duration::from_secs(2)).unwrap();
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut stdout, &mut text).unwrap();
    let probed = Probed::of(&std::process::Output { status, stdout: text, stderr: Vec::new() });
    assert_eq!((probed.code, &probed.record["ended"]), (1, &"interrupted".into()), "{}", probed.record);
    assert!(probed.flows()[0].0.is_some(), "{}", probed.record);
}
