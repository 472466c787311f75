//! What is refused, and with which words; and rights.

use tests::tcpdump::{Capture, Direction};
use tests::tunmon;

use super::support::{PEERS, Probed, Underlay};

#[test]
fn what_cannot_be_probed_is_refused_with_a_cause_and_advice_before_anything_is_sent() {
    let Some(underlay) = Underlay::create(&["tcpdump"]) else { return };
    let capture = Capture::start(&underlay.near, "n0", Direction::Both, "").unwrap();
    for (arguments, code, words) in [
        ("192.0.2.9 --udp-port 6081", 2, "tunnel's port"),
        ("192.0.2.9 --port 7000 --udp-port 7000", 2, "tunnel's port"),
        ("192.0.2.9 --port 7000 --udp-port 6081", 2, "tunnel's port"),
        ("192.0.2.9 --max 9000", 2, "more than the MTU of n0"),
        ("198.51.100.1", 2, "own address"),
        ("127.0.0.1", 2, "own address"),
        ("0.0.0.0", 2, "not the address of one node"),
        ("224.0.0.1", 2, "not the address of one node"),
        ("fe80::1", 2, "not the address of one node"),
    ] {
        let output = tunmon::run(&underlay.near, &format!("probe {arguments}")).unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {text}");
        assert!(text.contains(words) && text.lines().count() == 2, "{arguments}: {text}");
        assert_eq!(output.stdout, b"");
    }
    for arguments in ["", "node-2", "192.0.2.9 --flows 33", "192.0.2.9 --udp-port 0", "192.0.2.9 --timeout 0s"] {
        let output = tunmon::run(&underlay.near, &format!("probe {arguments}")).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}");
    }
    let sent = capture.stop().unwrap().count("udp or icmp[0] == 8 or icmp6[0] == 128").unwrap();
    assert_eq!(sent.packets, 0);
}

#[test]
fn without_a_route_the_command_that_shows_it_is_named() {
    let Some(underlay) = Underlay::create(&[]) else { return };
    for (line, peer) in [("ip route del default", PEERS[0]), ("ip -6 route del default", PEERS[1])] {
        underlay.near.run(line).unwrap();
        let output = tunmon::run(&underlay.near, &format!("probe {peer}")).unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("no route") && text.contains(&format!("ip route get {peer}")), "{text}");
    }
}

#[test]
fn udp_needs_no_rights_and_echo_asks_for_them_or_for_a_group() {
    let Some(underlay) = Underlay::create(&["setpriv"]) else { return };
    underlay.narrow("ra", 1400);
    let program = tunmon::binary().unwrap();
    let run = |arguments: &str| {
        let mut command = underlay.near.command("setpriv");
        command.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(&program).args(["probe", "-o", "json"]);
        tests::process::output(command.args(arguments.split_whitespace())).unwrap()
    };
    let probed = Probed::of(&run(PEERS[0]));
    assert_eq!((probed.code, &probed.record["method"]), (3, &"udp".into()), "{}", probed.record);
    let output = run(&format!("{} --method icmp", PEERS[0]));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(4) && text.contains("CAP_NET_RAW"), "{text}");
    underlay.near.sysctl(&[("ipv4/ping_group_range", "0 2147483647")]).unwrap();
    for peer in PEERS {
        let probed = Probed::of(&run(&format!("{peer} --method icmp")));
        assert_eq!((probed.code, probed.flows()), (3, vec![(Some(1400), Some(1401))]), "{}", probed.record);
        assert!(probed.record["flows"][0]["reports"][0]["mtu_bytes"] == 1400, "{}", probed.record);
    }
}
