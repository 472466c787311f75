//! All flows to one peer: which packet is sent when, and when it is enough. Pure: the time is an argument, counted from
//! the start; packets are numbered, and answers name the number.
//!
//! It begins by knocking: the base size in one flow after another until one is answered, so that a dead peer is told
//! from a small path. Then one flow after another is searched; what one path takes is the first guess for the next.

use std::net::IpAddr;
use std::time::Duration;

use super::pace::Pace;
use super::search::{End, Search, Sizes};

/// Base-sized packets before the peer is held for silent.
const KNOCKS: u32 = 5;
/// Bounds of the wait for an answer; before any round trip is known it is the longer one.
const WAIT: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];
/// No router has a link with a smaller MTU (RFC 791 §3.2).
const MTU_MIN: u32 = 68;

/// What bounds a campaign.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) packets: u32,
    pub(super) time: Duration,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Send a packet with this number in it.
    Send(Packet),
    /// Nothing before this time, unless something is heard.
    Wait(Duration),
    /// It is over.
    End(Reason),
}

/// A packet to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) number: u32,
    pub(super) flow: usize,
    pub(super) size: u32,
}

/// Why it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    /// Every flow has been searched.
    Done,
    /// The peer has not answered at all.
    Silent,
    Timeout,
    Packets,
    Interrupted,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The peer answers the packet of this number.
    Answer(u32),
    /// A router has no way on for a packet of this size; 0 if it names no MTU.
    TooBig { number: u32, reporter: IpAddr, mtu: u32 },
}

/// What a router said about a flow's packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Report {
    pub(super) reporter: IpAddr,
    pub(super) mtu_bytes: u32,
}

/// One flow.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) search: Search,
    pub(super) reports: Vec<Report>,
    pub(super) sent: u32,
    /// Shortest round trip.
    pub(super) rtt: Option<Duration>,
}

/// The size that is being tried.
#[derive(Clone, Copy, Debug)]
struct Trial {
    flow: usize,
    size: u32,
    sent: u32,
    /// Whether its silence may be that of a limit on answers that was taken for less strict.
    is_doubtful: bool,
    /// The MTU that a router has named.
    refusal: Option<u32>,
}

/// The campaign.
#[derive(Clone, Debug)]
pub(super) struct Campaign {
    pub(super) sizes: Sizes,
    bounds: Bounds,
    pub(super) flows: Vec<Flow>,
    pace: Pace,
    /// The packets that were sent, by number, with the time.
    sent: Vec<(Packet, Duration)>,
    trial: Option<Trial>,
    /// The flow that has answered first; none while knocking.
    first: Option<usize>,
    /// Round trip: up at once, down slowly, for the first one has to find neighbours too.
    rtt: Option<Duration>,
}

impl Campaign {
    pub(super) fn new(flows: usize, sizes: Sizes, bounds: Bounds, pace: Pace) -> Self {
        let flow = Flow { search: Search::new(sizes, None), reports: Vec::new(), sent: 0, rtt: None };
        let (flows, sent) = (vec![flow; flows], Vec::new());
        Self { sizes, bounds, flows, pace, sent, trial: None, first: None, rtt: None }
    }

    /// What is to be done now.
    pub(super) fn next(&mut self, now: Duration) -> Action {
        if now >= self.bounds.time {
            return Action::End(Reason::Timeout);
        }
        let deadline = self.sent.last().map(|(_, at)| *at + self.wait()).filter(|_| self.trial.is_some());
        if let Some(deadline) = deadline.filter(|deadline| now < *deadline) {
            return Action::Wait(deadline.min(self.bounds.time));
        }
        self.judge(now);
        let Some(trial) = self.trial.or_else(|| self.choose()) else {
            return Action::End(if self.first.is_some() { Reason::Done } else { Reason::Silent });
        };
        if self.packets() >= self.bounds.packets {
            return Action::End(Reason::Packets);
        }
        let ready = self.ready_at(&trial, now);
        if ready > now {
            return Action::Wait(ready.min(self.bounds.time));
        }
        self.trial = Some(Trial { sent: trial.sent + 1, ..trial });
        self.flows[trial.flow].sent += 1;
        let packet = Packet { number: self.packets(), flow: trial.flow, size: trial.size };
        self.sent.push((packet, now));
        Action::Send(packet)
    }

    /// Takes notice of what came back; what has another number than a packet that was sent is none of it.
    pub(super) fn heard(&mut self, heard: Heard, now: Duration) {
        let (Heard::Answer(number) | Heard::TooBig { number, .. }) = heard;
        let Some((packet, at)) = self.sent.get(number as usize).copied() else { return };
        let trial = self.trial.filter(|trial| (trial.flow, trial.size) == (packet.flow, packet.size));
        let flow = &mut self.flows[packet.flow];
        match heard {
            Heard::Answer(_) => {
                let rtt = now.saturating_sub(at);
                self.pace.answered(now);
                self.rtt = Some(self.rtt.map_or(rtt, |before| rtt.max((before + rtt) / 2)));
                flow.rtt = Some(flow.rtt.map_or(rtt, |shortest| shortest.min(rtt)));
                self.first.get_or_insert(packet.flow);
                // Tries of the trial before this one; an answer to an earlier trial says nothing of what has happened
                // since.
                let before = |trial: Trial| (number + trial.sent).checked_sub(self.sent.len() as u32);
                let lost = trial.and_then(before);
                match lost {
                    Some(lost) => flow.search.passed(packet.size, lost),
                    None => flow.search.learned(packet.size),
                }
                if lost.is_some_and(|lost| lost > 0) {
                    self.pace.distrust(now);
                }
                let is_over = |trial: Trial| trial.flow == packet.flow && trial.size < packet.size;
                if lost.is_some() || self.trial.is_some_and(is_over) {
                    self.trial = None;
                }
            }
            Heard::TooBig { reporter, mtu, .. } => {
                let report = Report { reporter, mtu_bytes: mtu };
                if !flow.reports.contains(&report) && flow.reports.len() < 8 {
                    flow.reports.push(report);
                }
                // An MTU that the packet keeps to, or that no link has, is no reason to believe the rest.
                let makes_sense = mtu == 0 || (MTU_MIN..packet.size).contains(&mtu);
                if let Some(trial) = self.trial.as_mut().filter(|_| trial.is_some() && makes_sense) {
                    trial.refusal = Some(mtu);
                }
            }
        }
    }

    /// Whether nothing was ever answered.
    pub(super) fn is_silent(&self) -> bool {
        self.first.is_none()
    }

    /// How many packets were sent.
    pub(super) fn packets(&self) -> u32 {
        self.sent.len() as u32
    }

    /// How long an answer is waited for.
    fn wait(&self) -> Duration {
        self.rtt.map_or(WAIT[1], |rtt| (3 * rtt).clamp(WAIT[0], WAIT[1]))
    }

    /// Ends the trial whose last try has not been answered in time, or that was refused.
    fn judge(&mut self, now: Duration) {
        let Some(trial) = self.trial else { return };
        if trial.refusal.is_none() && self.pace.is_trusted {
            self.pace.distrust(now);
        }
        let search = &mut self.flows[trial.flow].search;
        match trial.refusal {
            // While knocking, each try is a trial.
            _ if self.first.is_none() => {}
            Some(mtu) => search.refused(trial.size, mtu),
            None if trial.sent >= search.tries() => search.failed(trial.size),
            None => return,
        }
        self.trial = None;
    }

    /// The next size to be tried.
    fn choose(&mut self) -> Option<Trial> {
        let (count, is_doubtful) = (self.flows.len(), self.pace.is_trusted);
        let trial = |flow, size| Trial { flow, size, sent: 0, is_doubtful, refusal: None };
        let Some(first) = self.first else {
            let knocks = self.sent.len();
            return (knocks < KNOCKS as usize).then(|| trial(knocks % count, self.sizes.base));
        };
        for flow in (0..count).map(|step| (first + step) % count) {
            if flow != first && self.flows[flow].search.is_fresh() {
                self.flows[flow].search = Search::new(self.sizes, self.guess());
            }
            if let Some(size) = self.flows[flow].search.next() {
                return Some(trial(flow, size));
            }
        }
        None
    }

    /// The least that a path is known to take.
    fn guess(&self) -> Option<u32> {
        let searched = self.flows.iter().filter(|flow| flow.search.end().is_some_and(|end| end != End::Silent));
        searched.filter_map(|flow| flow.search.passes()).min()
    }

    /// When the next packet of the trial may be sent.
    fn ready_at(&mut self, trial: &Trial, now: Duration) -> Duration {
        if trial.sent == 0 {
            return if self.first.is_some() { self.pace.ready_at(now) } else { now };
        }
        let search = &self.flows[trial.flow].search;
        let is_last = trial.sent + 1 >= search.tries();
        if !is_last || !trial.is_doubtful && !search.hangs_on(trial.size) {
            return now;
        }
        // A limit that has swallowed the answers to all other tries lets that to the last one go.
        self.sent.last().map_or(now, |(_, at)| *at + self.pace.quiet())
    }
}
