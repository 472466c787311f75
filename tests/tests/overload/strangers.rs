//! Full tables: millions of VNIs and flows come between the packets of tunnels that were known before.
//!
//! ```text
//! near: VNIs 1 to 2^22 ──▶       far: eth0, tunmon
//!       flows of VNI 1 ──▶
//! known: reply, data ──▶         ◀── request
//! ```
//!
//! Each VNI there is, 2^24 of them, is what the long run takes.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use tests::bench::packets;
use tests::frame::parts::{self, Geneve, ICMP, Ipv4, UDP};
use tests::load::generator::{self, Generator, Spread};
use tests::load::usage;
use tests::load::wire::{DEVICE, Wire};
use tests::raw::Sender;
use tests::tunmon::{Report, Summary, Tunmon};

use super::{alone, choose};

/// They come in so many parts, and the known tunnels have their turn after each.
const ROUNDS: u32 = 64;
const TURNS: u32 = 2 * ROUNDS + 1;
/// Known tunnels; the flood comes to their VNIs when its first 2^22 are nearly over, from another peer.
const KNOWN: u8 = 8;
const FIRST_VNI: u32 = 0x3f_fff0;
/// The VNI of all flows.
const FLOWS_VNI: u32 = 1;

const INTERVAL: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_secs(1);
const GROWTH: u64 = 16 << 20;

/// What a known tunnel carries in one turn.
struct Turn {
    request: Vec<u8>,
    reply: Vec<u8>,
    datagram: Vec<u8>,
}

impl Turn {
    fn new(tunnel: u8, number: u32) -> Self {
        let nodes = [Ipv4Addr::new(172, 31, 7, 1), Ipv4Addr::new(172, 31, 9, tunnel)];
        let pods = [Ipv4Addr::new(10, 9, tunnel, 1), Ipv4Addr::new(10, 9, tunnel, 2)];
        let message = |kind| parts::icmp(kind, 0, 7 << 16 | number, &[0x5a; 56]);
        let frame = |protocol, payload: &[u8], [from, to]: [usize; 2]| {
            let inner = Ipv4::new(pods[from], pods[to], protocol).over(payload);
            let inner = parts::ethernet(&[], parts::ETHERTYPE_IPV4, &inner);
            let tunnel = Geneve::new(FIRST_VNI + u32::from(tunnel)).over(&inner);
            let outer = Ipv4::new(nodes[from], nodes[to], UDP);
            parts::ethernet(&[], parts::ETHERTYPE_IPV4, &outer.over(&parts::udp(40_000, parts::GENEVE_PORT, &tunnel)))
        };
        Self {
            request: frame(ICMP, &message(8), [0, 1]),
            reply: frame(ICMP, &message(0), [1, 0]),
            datagram: frame(UDP, &parts::udp(5000, 6000, &[0x5a; 200]), [1, 0]),
        }
    }
}

/// Both ends of the known tunnels.
struct Ends {
    near: Sender,
    far: Sender,
}

impl Ends {
    fn turn(&self, number: u32) -> Result<()> {
        for tunnel in 0..KNOWN {
            let Turn { request, reply, datagram } = Turn::new(tunnel, number);
            self.far.send(&request)?;
            self.near.send(&reply)?;
            self.near.send(&datagram)?;
        }
        Ok(())
    }
}

/// A frame of each VNI, and one of each flow.
#[derive(Clone, Copy)]
struct Flood {
    vnis: u32,
    flows: u32,
}

impl Flood {
    fn new() -> Self {
        choose(Self { vnis: 1 << 22, flows: 1 << 20 }, Self { vnis: 1 << 24, flows: 1 << 22 })
    }

    /// Flows are of TCP; a datagram of a VNI would be counted the short way, if its tunnel had a slot.
    fn generators(self, wire: &Wire, object: &[u8]) -> [Generator; 2] {
        let flows = Spread { flow_bits: self.flows.ilog2(), ..Spread::default() };
        let vnis = Spread { vni_bits: self.vnis.ilog2(), ..Spread::default() };
        [(packets::tunnel_tcp(), flows), (packets::tunnel_udp(), vnis)]
            .map(|(frame, spread)| Generator::load(object, wire, frame, Some(spread)).unwrap())
    }

    /// Sends all of it between turns of the known tunnels; returns the most memory that tunmon had after one.
    fn send(self, wire: &Wire, ends: &Ends, [flows, vnis]: &[Generator; 2], pid: u32) -> u64 {
        let send = || {
            let mut most = 0;
            for round in 0..ROUNDS {
                flows.send(self.flows / ROUNDS)?;
                ends.turn(2 * round + 1)?;
                vnis.send(self.vnis / ROUNDS)?;
                ends.turn(2 * round + 2)?;
                most = most.max(usage::resident_bytes(pid)?);
            }
            Ok(most)
        };
        wire.on_sending_side(send).unwrap()
    }

    /// Frames that are not of a known VNI, and those that are.
    fn frames(self) -> [u64; 2] {
        // The first one, all flows, and the one of this VNI among all.
        let of_flows = u64::from(self.flows) + 2;
        [u64::from(self.vnis) - 1, of_flows + 3 * u64::from(TURNS) * u64::from(KNOWN)]
    }
}

/// The known tunnels: each packet, byte and round trip, and no other.
fn check_known(summary: &Summary) {
    let turns = u64::from(TURNS);
    for tunnel in 0..KNOWN {
        let vni = FIRST_VNI + u32::from(tunnel);
        let Turn { request, reply, datagram } = Turn::new(tunnel, 0);
        let row = summary.vnis.iter().find(|row| row.vni == vni).unwrap();
        let received = turns * (reply.len() + datagram.len()) as u64;
        assert_eq!((row.rx_packets, row.rx_bytes), (2 * turns, received), "{vni}");
        assert_eq!((row.tx_packets, row.tx_bytes), (turns, turns * request.len() as u64), "{vni}");
        let counts: Vec<_> = row.rtt.iter().map(|rtt| (&*rtt.leg, &*rtt.method, rtt.count)).collect();
        assert_eq!(counts, [("remote", "echo", turns)], "{vni}");
    }
}

/// All packets, each in one place.
fn check_all(summary: &Summary, flood: Flood, slots_max: u64) {
    let [strangers, known] = flood.frames();
    summary.check_identities().unwrap();
    let accounting = &summary.accounting;
    assert_eq!((accounting.seen, accounting.classes["geneve"]), (strangers + known, strangers + known));
    let of_known: u64 =
        summary.vnis.iter().filter(|row| is_known(row.vni)).map(|row| row.rx_packets + row.tx_packets).sum();
    assert_eq!(of_known, known);
    let apart: Vec<_> = summary.vnis.iter().filter(|row| !is_known(row.vni)).collect();
    assert!(apart.iter().all(|row| (row.rx_packets, row.tx_packets) == (1, 0)), "{apart:?}");
    assert_eq!(summary.vnis.len(), 128, "those that are told apart");
    assert_eq!((summary.other.rx_packets, summary.other.tx_packets), (strangers - apart.len() as u64, 0));
    let slots = strangers - accounting.untracked_packets + u64::from(KNOWN) + 1;
    assert_eq!(slots, slots_max, "the table of tunnels is full");
    assert_eq!(accounting.flows.inserted, 65_536, "the table of flows is full");
    assert!(accounting.flows.evicted > u64::from(flood.flows) - 65_536, "{:?}", accounting.flows);
}

fn is_known(vni: u32) -> bool {
    vni == FLOWS_VNI || (FIRST_VNI..FIRST_VNI + u32::from(KNOWN)).contains(&vni)
}

/// Reports came all the time.
fn check_reports(report: &Report) {
    let seconds = |record: &Value| record["interval_seconds"].as_f64().unwrap();
    let longest = report.of("tunmon.interval/v1").map(seconds).fold(0.0, f64::max);
    println!("{} reports, the latest after {longest:.3} s", report.of("tunmon.interval/v1").count());
    assert!(longest <= (INTERVAL + LATE).as_secs_f64(), "{longest}");
}

#[test]
fn floods_of_vnis_and_flows_change_no_count_of_known_tunnels_and_take_no_memory() {
    let Some((wire, object)) = generator::ready().unwrap() else { return };
    let _alone = alone();
    let flood = Flood::new();
    let generators = flood.generators(&wire, &object);
    let ends = Ends { near: wire.sender().unwrap(), far: Sender::open(&wire.far, DEVICE).unwrap() };
    let mut tunmon = Tunmon::start(&wire.far, DEVICE, "--interval 1s").unwrap();
    wire.on_sending_side(|| generators[0].send(1).and_then(|()| ends.turn(0))).unwrap();
    let knows_all = |record: &Value| record["vnis"].as_array().is_some_and(|vnis| vnis.len() == usize::from(KNOWN) + 1);
    tunmon.wait_for("the known tunnels", knows_all).unwrap();
    let pid = tunmon.pid();
    usage::prefer(pid).unwrap();
    let before = (usage::map_bytes(pid).unwrap(), usage::resident_bytes(pid).unwrap());
    let most = flood.send(&wire, &ends, &generators, pid);
    let maps = usage::map_bytes(pid).unwrap();
    let report = tunmon.stop().unwrap();
    let summary = report.summary().unwrap();
    println!("{} frames, memory {} to {most}", summary.accounting.seen, before.1);
    check_known(&summary);
    check_all(&summary, flood, report.records[0]["tunnels_max"].as_u64().unwrap());
    check_reports(&report);
    assert_eq!(before.0, maps, "bytes of the maps");
    assert!(most <= before.1 + GROWTH, "{} bytes, then {most}", before.1);
}
