//! Counts and events of one device, summed up per VNI and per peer. No clock, no I/O.
//!
//! Counts come whole, since the start; what an interval shows is their difference to the interval before. Samples
//! come one by one.

mod accounting;
mod delivered;
mod distributions;
mod drops;
mod evidence;
mod handshakes;
mod holes;
mod inner_errors;
mod paths;
mod samples;
mod shares;
mod sparse;
mod sums;

use std::net::IpAddr;

use monitor_common::count::Counters;
use monitor_common::event::{self, Any};
use monitor_common::rtt::{Leg, Method};
use monitor_common::tunnel::Tunnel;

use crate::counts::{ByKind, Counts};
use crate::snapshot::{
    self, Evidence, Fragments, IcmpErrors, PathRoute, Peer, Place, Rtt, Sizes, Snapshot, Traffic, Vni,
};
use distributions::Distributions;
use drops::Drops;
use evidence::{Before, Errors};
use handshakes::Handshakes;
use holes::Holes;
use inner_errors::InnerErrors;
use paths::Paths;
use samples::{Samples, Span, Subject};
use sums::Sums;

/// What the sums are bounded by.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// VNIs that are told apart; those that come later are `other`.
    pub max_vnis: usize,
    /// Peers that are told apart; those that come later are left to the sums of their VNIs.
    pub max_peers: usize,
}

/// The sums of one device.
pub struct Aggregate {
    device: String,
    mtu: u32,
    sums: Sums,
    before: Sums,
    consumed_before: ByKind,
    samples: Samples,
    tunnels_before: Before,
    /// Of the interval, and of the whole run.
    errors: [Errors; 2],
    handshakes: [Handshakes; 2],
    drops: [Drops; 2],
    holes: Holes,
    inner_errors: InnerErrors,
    /// The latest time that is known, and when the interval began; in the time of events.
    now_ns: u64,
    interval_ns: u64,
    paths: Paths,
    /// Of the whole run, once it was summed up.
    distributions: Distributions,
}

impl Aggregate {
    /// Sums for a device of this name and MTU (0: unknown).
    pub fn new(device: &str, mtu: u32, limits: Limits) -> Self {
        Self {
            device: device.to_owned(),
            mtu,
            sums: Sums::new(limits),
            before: Sums::new(limits),
            consumed_before: ByKind::default(),
            samples: Samples::new(limits),
            tunnels_before: Before::default(),
            errors: Default::default(),
            handshakes: Default::default(),
            drops: Default::default(),
            holes: Holes::default(),
            inner_errors: InnerErrors::default(),
            now_ns: 0,
            interval_ns: 0,
            paths: Paths::default(),
            distributions: Distributions::default(),
        }
    }

    /// The device is called and sized like this from now on.
    pub fn describe(&mut self, device: &str, mtu: u32) {
        device.clone_into(&mut self.device);
        self.mtu = mtu;
    }

    /// Takes an event, with its tunnel if it has one.
    pub fn record(&mut self, event: &Any, tunnel: Option<&Tunnel>) {
        self.now_ns = self.now_ns.max(event.head().at_ns);
        match (event, tunnel) {
            (Any::Rtt(sample), Some(tunnel)) => self.sample(sample, tunnel),
            (Any::IcmpError(error), _) if error.is_inner == 0 => {
                self.errors.iter_mut().for_each(|errors| errors.record(error));
                self.paths.record(error);
            }
            (Any::IcmpError(error), Some(tunnel)) => self.inner_errors.record(error, tunnel),
            (Any::Retransmit(step), Some(tunnel)) => self.holes.step(step, tunnel),
            (Any::Handshake(handshake), Some(tunnel)) => {
                self.handshakes.iter_mut().for_each(|handshakes| handshakes.record(handshake, tunnel));
            }
            (Any::Fragment(_) | Any::Drop(_), _)
            | (Any::Rtt(_) | Any::IcmpError(_) | Any::Retransmit(_) | Any::Handshake(_), None) => {}
        }
    }

    /// Takes a drop of a packet from or to `peer`.
    pub fn drop(&mut self, drop: &event::Drop, peer: IpAddr, place: &Place) {
        self.now_ns = self.now_ns.max(drop.head.at_ns);
        self.drops.iter_mut().for_each(|drops| drops.record(drop, peer, place));
    }

    /// Whether tunnels that are told apart end here with this address.
    pub fn is_local(&self, address: IpAddr) -> bool {
        self.ends().any(|(_, local)| local == address)
    }

    fn sample(&mut self, sample: &event::Rtt, tunnel: &Tunnel) {
        let key = (sample.leg(), sample.method());
        self.samples.record(Subject::Vni(tunnel.vni()), key, sample.rtt_ns);
        self.samples.record(Subject::Peer(tunnel.peer().ip()), key, sample.rtt_ns);
        self.holes.sample(sample, tunnel);
    }

    /// It is so late now, in the time of events.
    pub fn is_now(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
    }

    /// Takes all counts so far: which peers there are is known then.
    pub fn update(&mut self, counts: &Counts) {
        self.sums.update(counts);
    }

    /// The peers that are told apart, each with this end of a tunnel to it.
    pub fn ends(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> {
        self.sums.peers.iter().map(|(peer, sum)| (*peer, sum.tunnel.local().ip()))
    }

    /// What routing says of the way to a peer; nothing when there is none.
    pub fn learn(&mut self, peer: IpAddr, route: Option<PathRoute>) {
        self.paths.learn(peer, route);
    }

    /// What happened since the last call, `seconds` ago, by the counts that were taken.
    pub fn interval(&mut self, counts: &Counts, consumed: &ByKind, seconds: f64) -> Snapshot {
        self.end(counts, seconds);
        let difference = self.sums.since(&self.before);
        self.samples.end_interval();
        let mut read = *consumed;
        for (read, before) in read.iter_mut().zip(&self.consumed_before) {
            *read = read.since(before);
        }
        let icmp_errors = self.errors[0].take();
        let handshakes = self.handshakes[0].take();
        let drops = self.drops[0].take();
        let evidence = Evidence { drops, ..self.evidence(icmp_errors, handshakes, self.interval_ns) };
        let tunnels = self.tunnels_before.since(counts, &evidence.peers());
        let evidence = Evidence { tunnels, ..evidence };
        self.interval_ns = self.now_ns;
        self.holes.begin(self.now_ns);
        self.inner_errors.forget(self.now_ns);
        let snapshot = Snapshot { evidence, ..self.snapshot(&difference, &read, seconds, Span::Interval) };
        self.before = self.sums.clone();
        self.consumed_before = *consumed;
        self.samples.next_interval();
        snapshot
    }

    /// What happened since the start, `seconds` ago, by the counts that were taken.
    pub fn whole(&mut self, counts: &Counts, consumed: &ByKind, seconds: f64) -> Snapshot {
        self.end(counts, 0.0);
        self.distributions = Distributions::new(counts);
        self.samples.next_interval();
        let mut snapshot = self.snapshot(&self.sums, consumed, seconds, Span::Whole);
        snapshot.accounting.histograms = (counts.issued.most != 0).then(|| counts.issued.into());
        let icmp_errors = self.errors[1].all();
        let drops = self.drops[1].all();
        let evidence = Evidence { drops, ..self.evidence(icmp_errors, self.handshakes[1].all(), 0) };
        snapshot.evidence = Evidence { tunnels: evidence::whole(counts, &evidence.peers()), ..evidence };
        snapshot.shares = shares::shares(counts);
        snapshot
    }

    /// A peer of which nothing was seen: what is known of the way to it.
    pub fn unseen(&self, peer: IpAddr) -> Peer {
        self.peer(peer, &Counters::default(), Span::Whole)
    }

    fn end(&mut self, counts: &Counts, seconds: f64) {
        self.paths.pass(counts, seconds);
        self.paths.note(self.sums.peers.keys().copied(), known(self.mtu));
    }

    /// What rules judge, without the tunnels, from `since_ns` on.
    fn evidence(&self, icmp_errors: Vec<IcmpErrors>, handshakes: Vec<snapshot::Handshakes>, since_ns: u64) -> Evidence {
        let full = |peer| self.handshakes[1].longest(peer);
        Evidence {
            mtu_bytes: known(self.mtu),
            icmp_errors,
            handshakes,
            holes: self.holes.all(self.now_ns, full),
            too_big: self.inner_errors.since(since_ns),
            ..Evidence::default()
        }
    }

    fn snapshot(&self, sums: &Sums, consumed: &ByKind, interval_seconds: f64, span: Span) -> Snapshot {
        Snapshot {
            interval_seconds,
            device: self.device.clone(),
            mtu_bytes: known(self.mtu),
            blind_seconds: None,
            vnis: sums.vnis.iter().map(|(vni, counters)| self.vni(*vni, counters, span)).collect(),
            peers: sums.peers.iter().map(|(peer, counters)| self.peer(*peer, counters, span)).collect(),
            other: sums.other,
            other_peers: sums.other_peers,
            accounting: accounting::accounting(&sums.totals, consumed),
            overhead: None,
            shares: Vec::new(),
            evidence: Evidence::default(),
        }
    }

    fn vni(&self, vni: u32, counters: &Counters, span: Span) -> Vni {
        Vni {
            vni,
            traffic: traffic(counters),
            sizes: Sizes::new(counters, self.sums.is_over_ipv4(vni)),
            fragments: fragments(counters),
            rtt: self.rtt(Subject::Vni(vni), counters, span),
        }
    }

    fn peer(&self, peer: IpAddr, counters: &Counters, span: Span) -> Peer {
        let sizes = Sizes::new(counters, Some(peer.is_ipv4()));
        Peer {
            peer,
            traffic: traffic(counters),
            sizes,
            path: self.paths.path(peer, known(self.mtu)).with(&sizes),
            fragments: fragments(counters),
            rtt: self.rtt(Subject::Peer(peer), counters, span),
        }
    }

    fn rtt(&self, subject: Subject, counters: &Counters, span: Span) -> Vec<Rtt> {
        let all = Leg::ALL.into_iter().flat_map(|leg| Method::ALL.into_iter().map(move |method| (leg, method)));
        let row = |(leg, method): (Leg, Method)| {
            let matches = &counters.matches[leg as usize][method as usize];
            (matches.count != 0).then(|| Rtt {
                leg: leg.name(),
                method: method.name(),
                count: matches.count,
                mean_seconds: seconds(matches.sum_ns as f64 / matches.count as f64),
                distribution: self.samples.distribution(subject, (leg, method), span),
                histogram: self.distributions.buckets(subject, (leg, method)),
            })
        };
        all.filter_map(row).collect()
    }
}

fn traffic(counters: &Counters) -> Traffic {
    let [rx, tx] = &counters.traffic;
    Traffic { rx_packets: rx.packets, rx_bytes: rx.bytes, tx_packets: tx.packets, tx_bytes: tx.bytes }
}

fn fragments(counters: &Counters) -> Fragments {
    let [rx, tx] = &counters.traffic;
    Fragments { outer: rx.outer_fragments + tx.outer_fragments, inner: rx.inner_fragments + tx.inner_fragments }
}

/// A size that was seen; 0 says that none was.
fn known<T: Default + PartialEq>(size: T) -> Option<T> {
    (size != T::default()).then_some(size)
}

fn seconds(nanoseconds: f64) -> f64 {
    nanoseconds / 1e9
}
