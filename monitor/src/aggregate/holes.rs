//! Data that its receiver lacks, flow by flow, and what its peer is known to have got meanwhile.
//!
//! Times are those of events, in nanoseconds.

use std::collections::HashMap;
use std::net::IpAddr;

use monitor_common::event::hole::Step;
use monitor_common::event::{self, Retransmit, Rtt};
use monitor_common::frame::Direction;
use monitor_common::rtt::{Leg, Method};
use monitor_common::tunnel::Tunnel;
use monitor_common::wire::tcp;

use super::delivered::{Delivered, STEP};
use crate::snapshot::Hole;

/// Flows that are followed at most, and directions of peers; those that come later wait for room.
const MOST: usize = 1024;
/// Without a step for so long a hole is forgotten: Linux's longest time between two retransmissions is 120 s, but by
/// then nobody waits any more.
const FORGOTTEN_NS: u64 = 60_000_000_000;
/// What the receiver sent so long before the data was sent first shows that it was there.
const HEARD_NS: u64 = 2_000_000_000;
/// A length that was delivered so long before still says something about the way.
const BEFORE_NS: u64 = 10_000_000_000;

/// No tunnel packet with a segment is shorter: 20 + 8 + 8 + 14 + 20 + 20 bytes, rounded down.
const SHORTEST: u32 = 80;

/// A flow: who sends, who lacks, with their ports, the protocol, and the peer.
type Flow = ([(IpAddr, u16); 2], u8, IpAddr);

/// What is known of a hole.
struct Known {
    vni: u32,
    is_transmitted: bool,
    opened_ns: u64,
    last_ns: u64,
    /// Of the interval.
    steps: u64,
    times: u32,
    /// Retransmissions before which something had been delivered since the one before.
    confirmed: u32,
    /// Length and number of what was sent last.
    length: u32,
    attempts: u32,
    /// The length that was given up for a shorter one.
    given_up: Option<u32>,
    missing: u32,
    /// Its own sender is ahead of it: the receiver need not be asked.
    is_ahead: bool,
    /// Its receiver was there when it was sent.
    was_heard: bool,
    is_closed: bool,
}

/// The holes of a device.
#[derive(Default)]
pub(super) struct Holes {
    flows: HashMap<Flow, Known>,
    delivered: HashMap<(IpAddr, bool), Delivered>,
    /// When each receiver of a hole has answered something last.
    answered: HashMap<IpAddr, u64>,
}

impl Holes {
    /// Takes a sample: its packet was delivered, and its answerer is there.
    pub(super) fn sample(&mut self, sample: &Rtt, tunnel: &Tunnel) {
        let at = sample.head.at_ns;
        if let Some(answered) = self.answered.get_mut(&sample.destination.ip()) {
            *answered = at;
        }
        let (peer, length) = (tunnel.peer().ip(), u32::from(sample.length));
        self.delivered(peer, sample.leg() == Leg::Remote, length, at);
        if sample.leg() == Leg::Remote {
            // The answer has come as well; that of an echo is as long as the request, but for the tunnel's options.
            let answer = if sample.method() == Method::Echo { length.saturating_sub(STEP) } else { SHORTEST };
            self.delivered(peer, false, answer.max(SHORTEST), at);
        }
    }

    /// Takes a step of missing data.
    pub(super) fn step(&mut self, step: &Retransmit, tunnel: &Tunnel) {
        let peer = tunnel.peer().ip();
        let ends = [(step.source.ip(), step.source_port), (step.destination.ip(), step.destination_port)];
        let flow = (ends, step.protocol, peer);
        let is_transmitted = event::direction(step.direction) == Direction::Tx;
        match Step::from_index(step.step) {
            Step::Acknowledged => self.close(flow, step.head.at_ns),
            Step::SentAgain | Step::Missing => {
                if self.flows.len() < MOST || self.flows.contains_key(&flow) {
                    self.open(flow, step, is_transmitted, tunnel.vni());
                }
            }
        }
    }

    fn open(&mut self, flow: Flow, step: &Retransmit, is_transmitted: bool, vni: u32) {
        let (peer, at) = (flow.2, step.head.at_ns);
        let opened_ns = at.saturating_sub(step.age_ns);
        let last_ns = self.flows.get(&flow).map_or(opened_ns, |known| known.last_ns.max(opened_ns));
        let delivered = self.delivered.get(&(peer, is_transmitted));
        let is_passing = delivered.is_some_and(|delivered| delivered.since(last_ns).is_some());
        self.answered.entry(flow.0[1].0).or_insert(0);
        let known = self.flows.entry(flow).or_insert_with(|| Known::new(vni, is_transmitted, opened_ns));
        if known.is_closed || known.times > step.times {
            *known = Known::new(vni, is_transmitted, opened_ns);
        }
        known.last_ns = at;
        known.steps += 1;
        known.was_heard |= step.heard_ns <= step.age_ns + HEARD_NS && step.protocol == tcp::PROTOCOL;
        if step.step == Step::Missing as u8 {
            known.missing = step.missing;
            known.is_ahead = step.length != 0;
            known.opened_ns = opened_ns;
        } else {
            known.sent_again(step.times, step.length);
            known.confirmed += u32::from(is_passing);
            if !is_transmitted {
                self.delivered(peer, false, step.length, at);
            }
        }
    }

    /// What was sent last has arrived, or it was not needed.
    fn close(&mut self, flow: Flow, at: u64) {
        let Some(known) = self.flows.get_mut(&flow) else { return };
        let (length, is_transmitted) = (known.length, known.is_transmitted);
        if known.given_up.is_some() {
            (known.is_closed, known.last_ns) = (true, at);
        } else {
            self.flows.remove(&flow);
        }
        if length != 0 {
            self.delivered(flow.2, is_transmitted, length, at);
        }
    }

    fn delivered(&mut self, peer: IpAddr, is_transmitted: bool, length: u32, at: u64) {
        let key = (peer, is_transmitted);
        if length != 0 && (self.delivered.len() < MOST || self.delivered.contains_key(&key)) {
            self.delivered.entry(key).or_default().record(length, at);
        }
    }

    /// Begins an interval; forgets holes of which nothing was heard for long.
    pub(super) fn begin(&mut self, now_ns: u64) {
        self.flows.values_mut().for_each(|known| known.steps = 0);
        self.flows.retain(|_, known| now_ns < known.last_ns + FORGOTTEN_NS);
        let flows = &self.flows;
        self.answered.retain(|receiver, _| flows.keys().any(|flow| flow.0[1].0 == *receiver));
    }

    /// All holes as they are at `now_ns`; `full` tells MSS and length of the longest packets of a peer's connections.
    pub(super) fn all(&self, now_ns: u64, full: impl Fn(IpAddr) -> Option<[u32; 2]>) -> Vec<Hole> {
        let hole = |(flow, known): (&Flow, &Known)| {
            let mut hole = self.hole(flow, known, now_ns);
            if hole.length_bytes.is_none() {
                hole.length_bytes = full(hole.peer).map(|full| of_missing(full, hole.missing_bytes));
            }
            hole
        };
        let mut holes: Vec<_> = self.flows.iter().map(hole).collect();
        holes.sort_by_key(|hole| (hole.peer, hole.vni, hole.source, hole.destination));
        holes
    }

    fn hole(&self, flow: &Flow, known: &Known, now_ns: u64) -> Hole {
        let peer = flow.2;
        let delivered = self.delivered.get(&(peer, known.is_transmitted));
        let since = delivered.and_then(|delivered| delivered.since(known.opened_ns));
        let before = delivered.and_then(|delivered| delivered.since(known.opened_ns.saturating_sub(BEFORE_NS)));
        let answered = self.answered.get(&flow.0[1].0).is_some_and(|at| *at > known.opened_ns);
        let steady_ns = delivered.map_or(0, |delivered| delivered.steady_for(now_ns));
        let seconds = |ns: u64| ns as f64 / 1e9;
        Hole {
            vni: known.vni,
            peer,
            source: flow.0[0],
            destination: flow.0[1],
            is_transmitted: known.is_transmitted,
            is_echo: flow.1 != tcp::PROTOCOL,
            is_closed: known.is_closed,
            steps: known.steps,
            times: known.times,
            confirmed_times: known.confirmed,
            length_bytes: (known.length != 0).then_some(known.length),
            given_up_length_bytes: known.given_up,
            missing_bytes: known.missing,
            is_ahead: known.is_ahead,
            is_receiver_there: answered || known.was_heard,
            age_seconds: seconds(now_ns.max(known.last_ns).saturating_sub(known.opened_ns)),
            steady_seconds: seconds(steady_ns),
            delivered_since_bytes: since,
            delivered_lately_bytes: before,
        }
    }
}

/// Timestamps take so much of a segment.
const OPTIONS: u32 = 12;

/// Length of the longest packet that so many missing bytes fill.
fn of_missing([mss, length]: [u32; 2], missing: u32) -> u32 {
    length - mss.saturating_sub(OPTIONS + missing)
}

impl Known {
    fn new(vni: u32, is_transmitted: bool, opened_ns: u64) -> Self {
        Self {
            vni,
            is_transmitted,
            opened_ns,
            last_ns: opened_ns,
            steps: 0,
            times: 0,
            confirmed: 0,
            length: 0,
            attempts: 0,
            given_up: None,
            missing: 0,
            is_ahead: false,
            was_heard: false,
            is_closed: false,
        }
    }

    /// Lengths that differ by less than a step of what is known of deliveries are one.
    fn sent_again(&mut self, times: u32, length: u32) {
        if length + STEP <= self.length {
            if self.attempts >= 2 {
                self.given_up = Some(self.length);
            }
            self.attempts = 0;
        }
        (self.times, self.length) = (times, length);
        self.attempts += 1;
    }
}

#[cfg(test)]
mod tests;
