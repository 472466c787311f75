//! Tunnel packets in fragments that come in wrong order, overlap, or never come, sent to a device that carries a tunnel.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use tests::bench::packets::{CLIENT, NODE, PEER, SERVER, ethernet_v4, geneve, ipv4, udp};
use tests::netns::Namespace;
use tests::raw::{self, How, Sender};
use tests::tunmon::Tunmon;
use tests::{needs, netns, tunmon, wait};

use super::support::found;

/// Of [`geneve`]'s header.
const VNI: u64 = 1000;
const MORE_FRAGMENTS: u16 = 0x2000;
const LISTEN: &str = "127.0.0.1:16081";
/// Bytes of a piece; the last one is shorter.
const PIECE: usize = 1000;

/// The three pieces of the tunnel packet of this number, with this identification on the underlay.
fn pieces(number: u16, id: u16) -> [Vec<u8>; 3] {
    let mut inner = ipv4(17, 0, [CLIENT, SERVER], &udp([1000, 2000], &[0x5a; 2400]));
    inner[4..6].copy_from_slice(&number.to_be_bytes());
    let datagram = udp([40_000, 6081], &geneve([0, 0, 0x65, 0x58], &[], &ethernet_v4(&inner)));
    [0, 1, 2].map(|piece| part(&datagram, id, piece * PIECE, datagram.len().min((piece + 1) * PIECE)))
}

/// These bytes of a datagram as a fragment.
fn part(datagram: &[u8], id: u16, start: usize, end: usize) -> Vec<u8> {
    let more = if end == datagram.len() { 0 } else { MORE_FRAGMENTS };
    let mut packet = ipv4(17, more | (start / 8) as u16, [PEER, NODE], &datagram[start..end]);
    packet[4..6].copy_from_slice(&id.to_be_bytes());
    ethernet_v4(&packet)
}

/// A device that is watched, and the other end of its cable.
struct Watched {
    tunmon: Tunmon,
    far: Namespace,
    near: Namespace,
}

impl Watched {
    /// `None` after having said why it cannot be.
    fn start() -> Option<Self> {
        if let Some(reason) = tunmon::missing(&[needs::NETWORK, &["curl"]]) {
            needs::skip(&reason);
            return None;
        }
        let [near, far] = netns::cable("d0").unwrap();
        let tunmon = Tunmon::start(&near, "d0", &format!("--interval 1s --listen {LISTEN}")).unwrap();
        Some(Self { tunmon, far, near })
    }

    /// Sends frames at the beginning of an interval, so that one has them all, and no more at once than have an event
    /// each: 16 in 1.05 ms.
    fn send(&mut self, frames: &[Vec<u8>]) {
        self.intervals(1);
        let sender = Sender::open(&self.far, "d0").unwrap();
        for frames in frames.chunks(8) {
            frames.iter().try_for_each(|frame| sender.send(frame)).unwrap();
            thread::sleep(Duration::from_micros(2200));
        }
    }

    /// Waits for so many intervals since the start.
    fn intervals(&mut self, number: usize) {
        self.tunmon.wait_for_nth("an interval", number, |record| record["schema"] == "tunmon.interval/v1").unwrap();
    }

    /// The findings of the run.
    fn findings(self) -> Vec<Value> {
        let summary = self.tunmon.stop().unwrap().summary().unwrap();
        summary.check_identities().unwrap();
        summary.findings
    }
}

#[test]
fn whole_datagrams_in_any_order_are_fragments_and_nothing_is_missing() {
    let Some(mut watched) = Watched::start() else { return };
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let shuffled = |number: u16, order: [usize; 3], id| order.map(|piece| pieces(number, id)[piece].clone());
    let mut frames: Vec<_> =
        orders.iter().zip(1..).flat_map(|(order, number)| shuffled(number, *order, number)).collect();
    // The first of them once more, and others as Open vSwitch numbers them.
    frames.extend(pieces(1, 1));
    frames.extend((11..16).flat_map(|number| pieces(number, 0)));
    watched.send(&frames);
    watched.intervals(4);
    let findings = watched.findings();
    let codes: Vec<_> = findings.iter().map(found).map(|(code, vni, _)| (code, vni)).collect();
    assert_eq!(codes, ["TM104", "TM106"].map(|code| (code.to_owned(), Some(VNI))));
    let rx = &findings[0]["evidence"]["rx"];
    assert_eq!((&rx["complete_datagrams"], &rx["incomplete_datagrams"]), (&11.into(), &0.into()), "{rx}");
    assert_eq!((&rx["late_first_fragments"], &rx["late_attributed_fragments"]), (&4.into(), &6.into()), "{rx}");
}

#[test]
fn datagrams_without_their_last_piece_are_missed_with_their_tunnel() {
    for id in [|number| number, |_| 0] {
        let Some(mut watched) = Watched::start() else { return };
        let lossy =
            |number: u16| pieces(number, id(number)).into_iter().take(if number.is_multiple_of(4) { 2 } else { 3 });
        watched.send(&(1..13).flat_map(lossy).collect::<Vec<_>>());
        watched.tunmon.wait_for("TM109", |record| record["code"] == "TM109").unwrap();
        // The last of them may be judged an interval later.
        let peer = std::net::Ipv4Addr::from(PEER).to_string();
        let counter = format!("tunmon_reassembly_failures_total{{device=\"d0\",peer=\"{peer}\"}} 3\n");
        wait::until(&counter, Duration::from_secs(20), || {
            let metrics = watched.near.run(&format!("curl -sS http://{LISTEN}/metrics"))?;
            Ok(metrics.contains(&counter).then_some(()))
        })
        .unwrap();
        let findings = watched.findings();
        let missing = findings.iter().find(|finding| finding["code"] == "TM109").unwrap();
        assert_eq!((&missing["vni"], &missing["count"]), (&VNI.into(), &3.into()), "{missing}");
        assert_eq!(missing["evidence"]["direction"], "rx");
        assert_eq!(missing["peer"]["ip"], peer);
    }
}

#[test]
fn nothing_is_missed_where_the_limit_on_rates_hid_fragments() {
    let Some(mut watched) = Watched::start() else { return };
    let frames: Vec<_> = (1..40).flat_map(|number| pieces(number, number).into_iter().take(2)).collect();
    watched.intervals(1);
    raw::send(&watched.far, "d0", &frames, How::Whole).unwrap();
    watched.intervals(4);
    let findings = watched.findings();
    assert_eq!(findings[0]["evidence"]["has_all_pieces"], false, "{findings:?}");
    assert!(findings.iter().all(|finding| finding["code"] != "TM109"), "{findings:?}");
}

#[test]
fn fragments_that_overlap_are_told() {
    let Some(mut watched) = Watched::start() else { return };
    let [first, middle, last] = pieces(1, 7);
    let over = part(&[0; 2500], 7, 504, 1504);
    watched.send(&[first, over, middle, last]);
    watched.intervals(4);
    let findings = watched.findings();
    assert_eq!(findings[0]["evidence"]["rx"]["overlapping_fragments"], 1, "{findings:?}");
    assert!(findings.iter().all(|finding| finding["code"] != "TM109"), "{findings:?}");
}
