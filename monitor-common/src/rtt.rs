//! Round-trip times from packets that pass by: which packet waits for which answer.
//!
//! Per flow and direction one packet waits, as a [`Stamp`]: what its answer will carry, and when it passed. Three
//! methods, told apart by what identifies the answer:
//!
//! | method | packet | answer |
//! |---|---|---|
//! | timestamp | data, first packet of a new TSval | TSecr equal to it (RFC 7323) |
//! | handshake | SYN, SYN-ACK | ACK of it without payload, SYN-ACK included |
//! | echo | ICMP or ICMPv6 echo request | reply with its sequence number |
//!
//! An answer that is past the awaited one closes the stamp without a sample: the true answer was lost or merged,
//! and a time measured to a later one would be too long. A packet seen twice closes it too (Karn's rule).
//!
//! Times are ticks of 64 ns in 32 bits: they wrap after 274 s, and a difference of half of that or more is none.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::flow::Flow;
use crate::frame::Direction;
use crate::frame::UNTRACKED;

/// How a sample was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Method {
    /// TSval and TSecr; can contain a delayed acknowledgment.
    Timestamp = 0,
    /// TCP's connection set-up.
    Handshake = 1,
    /// ICMP echo.
    Echo = 2,
}

/// Number of methods.
pub const METHODS: usize = 3;

impl Method {
    /// All methods, in the order of their indexes.
    pub const ALL: [Self; METHODS] = [Self::Timestamp, Self::Handshake, Self::Echo];

    /// The name that JSON and metrics use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Timestamp => "timestamp",
            Self::Handshake => "handshake",
            Self::Echo => "echo",
        }
    }
}

/// Which half of the path a sample measures, seen from this node's device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Leg {
    /// A packet left, its answer came: underlay, peer node, peer's pod.
    Remote = 0,
    /// A packet came, its answer left: this node's switch and pod.
    Local = 1,
}

/// Number of legs.
pub const LEGS: usize = 2;

impl Leg {
    /// Both legs, in the order of their indexes.
    pub const ALL: [Self; LEGS] = [Self::Remote, Self::Local];

    /// The leg of an answer that goes in `direction`.
    #[inline(always)]
    pub fn of_answer(direction: Direction) -> Self {
        match direction {
            Direction::Rx => Self::Remote,
            Direction::Tx => Self::Local,
        }
    }

    /// The name that JSON and metrics use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Remote => "remote",
            Self::Local => "local",
        }
    }
}

const CLOSED: u64 = 0;
const TIMESTAMP: u64 = 1;
const HANDSHAKE: u64 = 2;
const ECHO: u64 = 3;

/// 30 bits of what the answer carries, 2 bits of method, 32 bits of time: one word, so that one store is one update
/// and a race between processors costs a sample, never a wrong one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Stamp(u64);

impl Stamp {
    #[inline(always)]
    fn new(kind: u64, id: u32, now: u32) -> Self {
        Self(u64::from(id) << 34 | kind << 32 | u64::from(now))
    }

    /// A stamp that waits for nothing; it keeps the id, to know a repeated packet, and the time.
    #[inline(always)]
    pub(crate) fn closed(id: u32, now: u32) -> Self {
        Self::new(CLOSED, id, now)
    }

    #[inline(always)]
    fn kind(self) -> u64 {
        self.0 >> 32 & 3
    }

    /// Says whether a SYN or SYN-ACK waits.
    #[inline(always)]
    pub(crate) fn is_handshake(self) -> bool {
        self.kind() == HANDSHAKE
    }

    #[inline(always)]
    pub(crate) fn time(self) -> u32 {
        self.0 as u32
    }

    /// How far `id` is past the awaited one, in the arithmetic of 30-bit serial numbers; scaled, so only the sign
    /// and 0 mean something.
    #[inline(always)]
    fn distance(self, id: u32) -> i32 {
        ((id << 2) as i32).wrapping_sub((self.0 >> 32) as i32 & !3)
    }
}

/// A sample: the time between a packet and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Round-trip time, in nanoseconds, to 64 ns.
    pub rtt_ns: u64,
    /// How it was taken.
    pub method: Method,
    /// Slot of the tunnel whose packet was stamped.
    pub tunnel: u16,
}

/// The part of a TCP segment that identifies packets and answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// TSval.
    pub tsval: u32,
    /// TSecr.
    pub tsecr: u32,
    /// Says whether the peer has to acknowledge it.
    pub has_payload: bool,
}

/// Converts nanoseconds to ticks.
#[inline(always)]
pub fn ticks(now_ns: u64) -> u32 {
    (now_ns >> 6) as u32
}

/// A TSval that is this far behind the newest one is no late packet but a new connection or clock.
const RESTART: i32 = -(1 << 20);

/// A segment with timestamps: matches what it answers, and stamps it when it is the first with its TSval.
/// `now` is called at most once.
#[inline(always)]
pub fn timestamp(
    flow: &mut Flow,
    side: usize,
    segment: Segment,
    tunnel: u16,
    now: impl Fn() -> u64,
) -> (Option<Sample>, u64) {
    let (own, other) = (side & 1, (side ^ 1) & 1);
    let (mut at, mut sample) = (0, None);
    let waiting = flow.stamp[other];
    if waiting.kind() == TIMESTAMP {
        let distance = waiting.distance(segment.tsecr);
        if distance == 0 {
            at = now();
            sample = matched(waiting, flow.tunnel[other], Method::Timestamp, ticks(at));
            flow.stamp[other] = Stamp::closed(segment.tsecr, ticks(at));
        } else if distance > 0 {
            flow.stamp[other] = Stamp::closed(segment.tsecr, waiting.time());
        }
    }
    let ahead = segment.tsval.wrapping_sub(flow.newest[own]) as i32;
    if !(RESTART..=0).contains(&ahead) {
        flow.newest[own] = segment.tsval;
        if segment.has_payload && (flow.stamp[own].kind() == CLOSED || ahead < RESTART) {
            at = if at == 0 { now() } else { at };
            flow.stamp[own] = Stamp::new(TIMESTAMP, segment.tsval, ticks(at));
            flow.tunnel[own] = tunnel;
        }
    }
    (sample, at)
}

/// Remembers the TSval of a segment that is not to be stamped.
#[inline(always)]
pub fn note_tsval(flow: &mut Flow, side: usize, tsval: u32) {
    flow.newest[side & 1] = tsval;
}

/// A SYN (`opens`) or SYN-ACK, whose answer will acknowledge `id`. A SYN that is not a repetition begins a new
/// connection: nothing of an older one waits any more.
#[inline(always)]
pub fn syn(flow: &mut Flow, side: usize, id: u32, opens: bool, tunnel: u16, now: u32) {
    if wait(flow, side, HANDSHAKE, id, tunnel, now) && opens {
        flow.stamp[(side ^ 1) & 1] = Stamp::closed(0, now);
    }
}

/// An acknowledgment: a SYN-ACK, or an ACK of one. It answers only without payload, since data may have waited for
/// the application.
#[inline(always)]
pub fn handshake(flow: &mut Flow, side: usize, acknowledgment: u32, has_payload: bool, now: u32) -> Option<Sample> {
    let sample = answer(flow, side, HANDSHAKE, acknowledgment, now)?;
    (!has_payload).then_some(sample)
}

/// After this many ticks (1 s) an echo request has lost its reply, and the next one may be stamped.
const ECHO_LOST: u32 = 1_000_000_000 >> 6;

/// An echo request.
#[inline(always)]
pub fn request(flow: &mut Flow, side: usize, sequence: u32, tunnel: u16, now: u32) {
    let waiting = flow.stamp[side & 1];
    let is_lost = now.wrapping_sub(waiting.time()) > ECHO_LOST;
    if waiting.kind() != ECHO || waiting.distance(sequence << 14) == 0 || is_lost {
        wait(flow, side, ECHO, sequence << 14, tunnel, now);
    }
}

/// An echo reply.
#[inline(always)]
pub fn reply(flow: &mut Flow, side: usize, sequence: u32, now: u32) -> Option<Sample> {
    answer(flow, side, ECHO, sequence << 14, now)
}

/// Stamps a packet; one that was stamped before is a repetition, whose answer would be ambiguous.
#[inline(always)]
fn wait(flow: &mut Flow, side: usize, kind: u64, id: u32, tunnel: u16, now: u32) -> bool {
    let own = side & 1;
    let is_first = flow.tunnel[own] == UNTRACKED || flow.stamp[own].distance(id) != 0;
    flow.stamp[own] = if is_first { Stamp::new(kind, id, now) } else { Stamp::closed(id, now) };
    flow.tunnel[own] = tunnel;
    is_first
}

#[inline(always)]
fn answer(flow: &mut Flow, side: usize, kind: u64, id: u32, now: u32) -> Option<Sample> {
    let other = (side ^ 1) & 1;
    let waiting = flow.stamp[other];
    if waiting.kind() != kind {
        return None;
    }
    let distance = waiting.distance(id);
    if distance < 0 {
        return None;
    }
    flow.stamp[other] = Stamp::closed(id, now);
    if distance > 0 {
        return None;
    }
    let method = if kind == ECHO { Method::Echo } else { Method::Handshake };
    matched(waiting, flow.tunnel[other], method, now)
}

/// The sample, unless the clocks of two processors make it negative or it is older than the wrap allows.
#[inline(always)]
fn matched(waiting: Stamp, tunnel: u16, method: Method, now: u32) -> Option<Sample> {
    let passed = now.wrapping_sub(waiting.time());
    if passed as i32 >= 0 { Some(Sample { rtt_ns: u64::from(passed) << 6, method, tunnel }) } else { None }
}
