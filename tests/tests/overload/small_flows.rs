//! A table of 64 flows, and between each ping and its answer come many flows of strangers: a sample may be lost, but
//! each one that is counted is that of this ping.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use monitor::bpf::events::Events;
use monitor::bpf::{Kernel, OBJECT, Sizes};
use monitor_common::event::{Any, Kind, Rtt};
use monitor_common::frame::Direction;
use monitor_common::rtt::{Leg, Method};
use tests::frame::Rng;
use tests::frame::parts::{self, ACK, Geneve, ICMP, Ipv4, TCP, Tcp, UDP};

use super::has_rights;
use super::programs::{DEVICE, Programs};
use super::sources::Seen;

const PINGS: u16 = 1000;
/// Known tunnels, which take turns.
const KNOWN: u16 = 4;
const FIRST_VNI: u32 = 100;
const STRANGERS_VNI: u32 = 1;
/// Strangers between a ping and its answer, at most: as many as there are places.
const STRANGERS: usize = 64;
/// Of all echoes, and of all segments.
const ID: u16 = 7;
const TSVAL: u32 = 5000;

/// A frame of a tunnel to node `peer`, from or to this node.
fn frame(vni: u32, peer: u8, direction: Direction, ends: [Ipv4Addr; 2], protocol: u8, payload: &[u8]) -> Seen {
    let mut nodes = [Ipv4Addr::new(172, 31, 7, 1), Ipv4Addr::new(172, 31, 9, peer)];
    nodes.rotate_left(direction as usize ^ 1);
    let inner = parts::ethernet(&[], parts::ETHERTYPE_IPV4, &Ipv4::new(ends[0], ends[1], protocol).over(payload));
    let datagram = parts::udp(40_000, parts::GENEVE_PORT, &Geneve::new(vni).over(&inner));
    (direction, parts::ethernet(&[], parts::ETHERTYPE_IPV4, &Ipv4::new(nodes[0], nodes[1], UDP).over(&datagram)))
}

fn echo(kind: u8, sequence: u16) -> Vec<u8> {
    parts::icmp(kind, 0, u32::from(ID) << 16 | u32::from(sequence), &[0x5a; 24])
}

/// One of the known pings.
#[derive(Clone, Copy)]
struct Ping {
    tunnel: u8,
    sequence: u16,
}

impl Ping {
    fn ends(self) -> [Ipv4Addr; 2] {
        [1, 2].map(|end| Ipv4Addr::new(10, 9, self.tunnel, end))
    }

    fn vni(self) -> u32 {
        FIRST_VNI + u32::from(self.tunnel)
    }

    fn request(self) -> Seen {
        frame(self.vni(), self.tunnel, Direction::Tx, self.ends(), ICMP, &echo(8, self.sequence))
    }

    fn reply(self) -> Seen {
        let [from, to] = self.ends();
        frame(self.vni(), self.tunnel, Direction::Rx, [to, from], ICMP, &echo(0, self.sequence))
    }
}

/// What the packets of strangers carry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// What would answer a packet of another flow.
    Alike,
    /// What answers nothing.
    Apart,
}

/// A packet of a flow that has no other.
fn stranger(chance: &mut Rng, sequence: u16, numbers: Numbers) -> Seen {
    let pod = |chance: &mut Rng| Ipv4Addr::from(0x0b00_0000 | chance.number() as u32 & 0xff_ffff);
    let ends = [pod(chance), pod(chance)];
    let direction = chance.pick(&[Direction::Rx, Direction::Tx]);
    let (sequence, tsecr) = match numbers {
        Numbers::Alike => (sequence, TSVAL),
        Numbers::Apart => (sequence + PINGS, TSVAL - 1),
    };
    let (protocol, payload) = match chance.below(4) {
        0 => (ICMP, echo(8, sequence)),
        1 => (ICMP, echo(0, sequence)),
        _ => (TCP, segment(chance.number() as u16, tsecr)),
    };
    frame(STRANGERS_VNI, 200, direction, ends, protocol, &payload)
}

fn segment(source: u16, tsecr: u32) -> Vec<u8> {
    let (flags, options) = (ACK, parts::timestamps(TSVAL, tsecr));
    let [sequence, acknowledgment] = [1000, 2000];
    Tcp { source, destination: 443, flags, options, sequence, acknowledgment }.over(&[0x5a; 8])
}

/// What a ping has come to.
struct Outcome {
    ping: Ping,
    samples: Vec<Rtt>,
    least_ns: u128,
    most_ns: u128,
}

fn ping(programs: Programs<'_>, events: &mut Events, number: u16, meanwhile: impl FnOnce(u16)) -> Outcome {
    let ping = Ping { tunnel: (number % KNOWN) as u8, sequence: number };
    let [request, reply] = [ping.request(), ping.reply()];
    let before = Instant::now();
    programs.show(&request, 1);
    let asked = Instant::now();
    meanwhile(number);
    let least_ns = asked.elapsed().as_nanos();
    programs.show(&reply, 1);
    let most_ns = before.elapsed().as_nanos();
    let mut samples = Vec::new();
    events.drain(|event| {
        if let Any::Rtt(sample) = event {
            samples.push(*sample)
        }
    });
    Outcome { ping, samples, least_ns, most_ns }
}

/// Samples that are right.
#[derive(Default)]
struct Found {
    known: [u64; KNOWN as usize],
}

impl Found {
    /// Takes what a ping has come to: no sample, or a single one that is right.
    fn take(&mut self, kernel: &Kernel, Outcome { ping, samples, least_ns, most_ns }: &Outcome) {
        let [sample] = samples[..] else { return assert!(samples.is_empty(), "{samples:?}") };
        let [from, to] = ping.ends().map(IpAddr::V4);
        assert_eq!((sample.source.ip(), sample.destination.ip()), (from, to), "{sample:?}");
        assert_eq!((sample.source_port, sample.leg(), sample.method()), (ID, Leg::Remote, Method::Echo), "{sample:?}");
        // The kernel's clock goes in ticks of 64 ns.
        let rtt_ns = u128::from(sample.rtt_ns);
        assert!(rtt_ns + 64 >= *least_ns && rtt_ns <= *most_ns + 64, "{least_ns} to {most_ns}: {sample:?}");
        assert_eq!(kernel.tunnel(sample.head.tunnel).unwrap().vni(), ping.vni(), "{sample:?}");
        self.known[usize::from(ping.tunnel)] += 1;
    }
}

/// Checks the counts of a run that has found these samples.
fn check_counts(kernel: &Kernel, found: &Found) {
    let counts = kernel.counts_with_histograms(DEVICE).unwrap();
    for tracked in &counts.tunnels {
        let number = tracked.tunnel.vni().checked_sub(FIRST_VNI);
        let expected = number.map_or(0, |tunnel| found.known[tunnel as usize]);
        let matches: u64 = tracked.counters.matches.as_flattened().iter().map(|matches| matches.count).sum();
        let echoes = tracked.counters.matches[Leg::Remote as usize][Method::Echo as usize].count;
        assert_eq!((matches, echoes), (expected, expected), "{:?}", tracked.tunnel);
        if number.is_some() {
            let pings = u64::from(PINGS / KNOWN);
            assert_eq!(tracked.counters.traffic.map(|traffic| traffic.packets), [pings, pings]);
        }
    }
    let buckets: u64 = counts.distributions.values().map(|histogram| histogram.total()).sum();
    let events = counts.totals.events[Kind::Rtt as usize];
    let (counted, pings) = (found.known.iter().sum::<u64>(), u64::from(PINGS));
    println!("{counted} samples of {pings} pings, {} flows evicted", counts.totals.flows_evicted);
    assert_eq!((buckets, events.wanted, events.submitted), (counted, counted, counted));
    assert!(counted > 0 && counted < pings - pings / 20, "{counted} samples of {pings}");
    // Two processors may take one free place.
    assert!(counts.totals.flows_inserted >= 64, "the table is not full");
}

fn load() -> (Kernel, Events) {
    // Each sample is sent.
    let mut kernel = Kernel::load_object(OBJECT, &[6081], Sizes::new(16, 16, 64, 1), 7, false).unwrap();
    let events = kernel.take_events().unwrap();
    (kernel, events)
}

/// Pings through all known tunnels, among strangers.
fn pings(kernel: &Kernel, events: &mut Events, numbers: Numbers) -> Found {
    let (programs, mut chance) = (Programs::of(kernel), Rng::new(7));
    let mut found = Found::default();
    for number in 0..PINGS {
        let strangers = chance.below(STRANGERS);
        let outcome = ping(programs, events, number, |sequence| {
            (0..strangers).for_each(|_| programs.show(&stranger(&mut chance, sequence, numbers), 1));
        });
        found.take(kernel, &outcome);
    }
    found
}

#[test]
fn a_full_table_of_flows_loses_samples_and_makes_none_up() {
    if !has_rights() {
        return;
    }
    let (kernel, mut events) = load();
    let found = pings(&kernel, &mut events, Numbers::Alike);
    check_counts(&kernel, &found);
}

#[test]
fn neither_does_one_that_another_processor_fills_at_the_same_time() {
    if !has_rights() {
        return;
    }
    let (kernel, mut events) = load();
    let (programs, is_over) = (Programs::of(&kernel), AtomicBool::new(false));
    let found = thread::scope(|scope| {
        scope.spawn(|| {
            let mut chance = Rng::new(8);
            while !is_over.load(Ordering::Relaxed) {
                let sequence = chance.below(usize::from(PINGS)) as u16;
                programs.show(&stranger(&mut chance, sequence, Numbers::Apart), 1);
            }
        });
        let _end = End(&is_over);
        pings(&kernel, &mut events, Numbers::Apart)
    });
    check_counts(&kernel, &found);
}

/// Ends the other thread, whatever happens.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
