//! The oracles themselves, without tunmon: what a test believes must be right first.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;

use tests::lab::{DEVICE, OVS_VNIS, Options};
use tests::needs;
use tests::netns::{self, End, Namespace};
use tests::oracle::{self, Tally, Way};
use tests::ping::Ping;
use tests::tcpdump::{Capture, Direction};
use tests::tshark;

use super::support;

/// A Geneve header without options for VNI 5, then zeroes that make an Ethernet header and more.
fn geneve_payload(length: usize) -> Vec<u8> {
    let mut payload = vec![0, 0, 0x65, 0x58, 0, 0, 5, 0];
    payload.resize(length, 0);
    payload
}

/// Sends a datagram and waits for the error that comes back.
fn send(from: &Namespace, to: &str, payload: &[u8]) -> ErrorKind {
    let _inside = from.enter().unwrap();
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.connect(to).unwrap();
    socket.send(payload).unwrap();
    socket.recv(&mut [0]).unwrap_err().kind()
}

/// ```text
/// 10.9.0.1 left eth0 ── eth0 right 10.9.0.2 (nobody listens at UDP 6081)
/// ```
/// A datagram of 3000 bytes leaves as three fragments, of which only the first holds a Geneve header; the answer is an
/// ICMP error that quotes it.
#[test]
fn quotes_and_later_fragments_are_not_counted() {
    if !support::can_run(&[needs::NETWORK, needs::CAPTURE]) {
        return;
    }
    let (left, right) = (Namespace::create("left").unwrap(), Namespace::create("right").unwrap());
    let [one, two] = ["10.9.0.1/24", "10.9.0.2/24"].map(|address| [address.to_owned()]);
    let end = |namespace, addresses| End { addresses, ..End::bare(namespace, DEVICE) };
    netns::veth(end(&left, &one), end(&right, &two), 1500).unwrap();
    Ping::to([10, 9, 0, 2]).until_answered(&left).unwrap();

    let capture = Capture::start(&left, DEVICE, Direction::Both, "").unwrap();
    assert_eq!(send(&left, "10.9.0.2:6081", &geneve_payload(3000)), ErrorKind::ConnectionRefused);
    let pcap = capture.stop().unwrap();

    let all = tshark::rows(pcap.path(), "ip.addr == 10.9.0.1", &["geneve.vni", "icmp.type", "ip.flags.mf"]).unwrap();
    assert_eq!(all.len(), 4, "three fragments and an ICMP error: {all:?}");
    assert_eq!(
        all.iter().filter(|row| row.first("icmp.type") == Some("3") && row.number("geneve.vni") == Some(5)).count(),
        1
    );
    let frames = oracle::frames(pcap.path()).unwrap();
    let counts = oracle::count(&frames, [10, 9, 0, 1].into());
    assert_eq!(counts, [((5, Way::Transmit), Tally { packets: 1, bytes: 1514 })].into());
}

/// The topology is that of `Lab::ovs`.
#[test]
fn ping_and_tcpdump_tell_the_same_story() {
    let Some(lab) = support::ovs_alone(Options::default()) else { return };
    let capture = Capture::start(lab.node(1), DEVICE, Direction::Both, "").unwrap();
    let (p11, p12) = (&lab.pod("p11").namespace, &lab.pod("p12").namespace);
    let four = Ping { count: 7, ..Ping::to(lab.pod("p21").ipv4) }.run(p11).unwrap();
    let six = Ping { count: 5, payload_bytes: 1000, ..Ping::to(lab.pod("p22").ipv6) }.run(p12).unwrap();
    let pcap = capture.stop().unwrap();

    let mut frames = oracle::frames(pcap.path()).unwrap();
    frames.retain(|frame| frame.echo.is_some());
    let counts = oracle::count(&frames, lab.outer(1));
    // Underlay headers 50 bytes, inner Ethernet 14, IPv4 20 or IPv6 40, ICMP 8.
    let (small, large) = (50 + 14 + 20 + 8 + 56, 50 + 14 + 40 + 8 + 1000);
    for way in [Way::Transmit, Way::Receive] {
        assert_eq!(counts[&(OVS_VNIS[0], way)], Tally { packets: 7, bytes: 7 * small });
        assert_eq!(counts[&(OVS_VNIS[1], way)], Tally { packets: 5, bytes: 5 * large });
    }
    for (vni, report) in [(OVS_VNIS[0], four), (OVS_VNIS[1], six)] {
        let mut trips = oracle::echo_round_trips(&frames, lab.outer(1), Way::Transmit);
        trips.retain(|trip| trip.vni == vni);
        assert_eq!(u32::try_from(trips.len()).unwrap(), report.sent);
        for trip in trips {
            let ping_ms = report.times_ms.get(&trip.sequence).copied().unwrap_or(f64::INFINITY);
            assert!(trip.time.as_secs_f64() * 1e3 <= ping_ms, "{trip:?}, but {ping_ms} ms for ping");
        }
    }
}

/// Both labs have the addresses of `Lab::ovs`.
#[test]
fn labs_with_equal_addresses_run_side_by_side_and_leave_nothing() {
    let Some(one) = support::ovs_alone(Options::default()) else { return };
    let Some(two) = support::ovs_alone(Options::default()) else { return };
    let names: Vec<String> =
        [&one, &two].into_iter().flat_map(|lab| lab.pods()).map(|pod| pod.namespace.name().to_owned()).collect();
    for lab in [&one, &two] {
        let report = Ping::to(lab.pod("p23").ipv4).run(&lab.pod("p13").namespace).unwrap();
        assert!(report.sent == 5 && report.received > 0, "{report:?}");
    }
    drop((one, two));
    for name in names {
        assert!(!std::path::Path::new(&format!("/run/netns/{name}")).exists(), "{name} is still there");
    }
}
