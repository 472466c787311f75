//! Counts and events of one device, summed up per VNI and per peer. No clock, no I/O.
//!
//! Counts come whole, since the start; what an interval shows is their difference to the interval before. Samples
//! come one by one.

mod accounting;
mod admission;
mod datagrams;
mod delivered;
mod distributions;
mod drops;
mod evidence;
mod exemplars;
mod handshakes;
mod holes;
mod inner_errors;
mod paths;
mod rows;
mod samples;
mod shares;
mod sparse;
mod sums;

use std::net::IpAddr;

use monitor_common::count::Counters;
use monitor_common::event::{self, Any, Kind};
use monitor_common::tunnel::Tunnel;

use crate::counts::{ByKind, Counts};
use crate::snapshot::{self, Evidence, Exposed, IcmpErrors, PathRoute, Peer, Place, Snapshot};
use datagrams::Datagrams;
use distributions::Distributions;
use drops::Drops;
use evidence::{Before, Complaints, Errors};
use handshakes::Handshakes;
use holes::Holes;
use inner_errors::InnerErrors;
use paths::Paths;
use rows::View;
use samples::{Samples, Span, Subject};
use sums::Sums;

/// What the sums are bounded by.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// VNIs that are told apart; those that come later are `other`.
    pub max_vnis: usize,
    /// Peers that are told apart; those that come later are left to the sums of their VNIs.
    pub max_peers: usize,
    /// After so long without packets one of them is idle: it may be given up for another.
    pub idle_ns: u64,
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
    datagrams: Datagrams,
    drops: [Drops; 2],
    holes: Holes,
    inner_errors: InnerErrors,
    complaints: Complaints,
    /// The latest time that is known, and when the interval began; in the time of events.
    now_ns: u64,
    interval_ns: u64,
    paths: Paths,
    shares: shares::Shares,
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
            datagrams: Datagrams::default(),
            drops: Default::default(),
            holes: Holes::default(),
            inner_errors: InnerErrors::default(),
            complaints: Complaints::default(),
            now_ns: 0,
            interval_ns: 0,
            paths: Paths::default(),
            shares: shares::Shares::new(limits),
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
                self.complaints.record(error);
            }
            (Any::IcmpError(error), Some(tunnel)) => self.inner_errors.record(error, tunnel),
            (Any::Retransmit(step), Some(tunnel)) => self.holes.step(step, tunnel),
            (Any::Handshake(handshake), Some(tunnel)) => {
                self.handshakes.iter_mut().for_each(|handshakes| handshakes.record(handshake, tunnel));
            }
            (Any::Fragment(fragment), tunnel) => self.datagrams.record(fragment, tunnel),
            (Any::Drop(_), _) | (Any::Rtt(_) | Any::IcmpError(_) | Any::Retransmit(_) | Any::Handshake(_), None) => {}
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
        let exemplar = exemplars::exemplar(sample, tunnel);
        self.samples.record(Subject::Vni(tunnel.vni()), key, sample.rtt_ns, &exemplar);
        self.samples.record(Subject::Peer(exemplar.peer), key, sample.rtt_ns, &exemplar);
        self.holes.sample(sample, tunnel);
    }

    /// It is so late now, in the time of events, all of which are known.
    pub fn is_now(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
        self.datagrams.expire(self.now_ns);
    }

    /// Until `now_ns` packets may have passed unseen.
    pub fn was_blind(&mut self, now_ns: u64) {
        self.datagrams.doubt(now_ns);
    }

    /// Takes all counts so far: which peers there are is known then.
    pub fn update(&mut self, counts: &Counts) {
        for subject in self.sums.update(counts, self.now_ns) {
            self.samples.forget(subject);
        }
    }

    /// The peers that are told apart, each with this end of a tunnel to it.
    pub fn ends(&self) -> impl Iterator<Item = (IpAddr, IpAddr)> {
        self.sums.peers.iter().map(|(peer, sum)| (peer, sum.tunnel.local().ip()))
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
        let has_all_pieces = !has_lost_fragments(&difference);
        if !has_all_pieces {
            self.datagrams.doubt(self.now_ns);
        }
        let datagrams = self.datagrams.end_interval();
        let icmp_errors = self.errors[0].take();
        let handshakes = self.handshakes[0].take();
        let drops = self.drops[0].take();
        let evidence = self.evidence(icmp_errors, handshakes, self.interval_ns);
        let evidence = Evidence { drops, datagrams, has_all_pieces, ..evidence };
        let tunnels = self.tunnels_before.since(counts, &evidence.peers());
        let evidence = Evidence { tunnels, ..evidence };
        self.interval_ns = self.now_ns;
        self.holes.begin(self.now_ns);
        self.inner_errors.forget(self.now_ns);
        let snapshot =
            Snapshot { evidence, ..self.snapshot(&difference, &read, seconds, View::samples(Span::Interval)) };
        self.before = self.sums.clone();
        self.consumed_before = *consumed;
        self.samples.next_interval();
        snapshot
    }

    /// What happened since the start, `seconds` ago, by the counts that were taken, with all samples.
    pub fn whole(&mut self, counts: &Counts, consumed: &ByKind, seconds: f64) -> Snapshot {
        self.samples.end_interval();
        self.samples.next_interval();
        self.so_far(counts, consumed, seconds)
    }

    /// The same while an interval goes on: the samples are those until its beginning.
    pub fn so_far(&mut self, counts: &Counts, consumed: &ByKind, seconds: f64) -> Snapshot {
        self.end(counts, 0.0);
        let distributions = Distributions::new(counts);
        let view = View { samples: Some(Span::Whole), distributions: Some(&distributions) };
        let mut snapshot = self.snapshot(&self.sums, consumed, seconds, view);
        snapshot.accounting.histograms = (counts.issued.most != 0).then(|| counts.issued.into());
        let icmp_errors = self.errors[1].all();
        let evidence = self.evidence(icmp_errors, self.handshakes[1].all(), 0);
        let (datagrams, has_all_pieces) = (self.datagrams.all(), !has_lost_fragments(&self.sums));
        let drops = self.drops[1].all();
        let evidence = Evidence { drops, datagrams, has_all_pieces, ..evidence };
        snapshot.evidence = Evidence { tunnels: evidence::whole(counts, &evidence.peers()), ..evidence };
        snapshot.shares = shares::shares(counts);
        snapshot
    }

    /// What is exported as of now: no quantiles, which are what exporters have histograms for, and no rows that are idle.
    pub fn exposed(&mut self, counts: &Counts, consumed: &ByKind, seconds: f64) -> Exposed {
        self.end(counts, 0.0);
        let distributions = Distributions::new(counts);
        let view = View { samples: None, distributions: Some(&distributions) };
        let mut snapshot = self.snapshot(&self.sums, consumed, seconds, view);
        snapshot.accounting.histograms = (counts.issued.most != 0).then(|| counts.issued.into());
        (snapshot.other, snapshot.other_peers) = (self.sums.vnis.others(), self.sums.peers.others());
        let (shares, other_shares) = self.shares.exposed(counts, self.now_ns);
        Exposed {
            snapshot,
            shares,
            other_shares,
            refused_vnis: self.sums.vnis.refused(),
            refused_peers: self.sums.peers.refused(),
            icmp_errors: self.errors[1].all(),
            inner_too_big: self.inner_errors.by_peer(),
            incomplete_datagrams: self.datagrams.incomplete(),
            drops: self.drops[1].all(),
        }
    }

    /// A peer of which nothing was seen: what is known of the way to it.
    pub fn unseen(&self, peer: IpAddr) -> Peer {
        self.peer(peer, &Counters::default(), View::samples(Span::Whole))
    }

    fn end(&mut self, counts: &Counts, seconds: f64) {
        self.paths.pass(counts, seconds);
        self.paths.note(self.sums.peers.iter().map(|(peer, _)| peer), known(self.mtu));
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
            complaints: self.complaints.lately(self.now_ns),
            ..Evidence::default()
        }
    }
}

/// Says whether there were fragments without an event.
fn has_lost_fragments(sums: &Sums) -> bool {
    let fate = &sums.totals.events[Kind::Fragment as usize];
    fate.ring_full + fate.rate_limited != 0
}

/// A size that was seen; 0 says that none was.
fn known<T: Default + PartialEq>(size: T) -> Option<T> {
    (size != T::default()).then_some(size)
}
