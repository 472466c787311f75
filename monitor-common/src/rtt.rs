//! Round-trip times from packets that pass by: which packet waits for which answer.
//!
//! Per flow and direction one packet waits, as a [`Stamp`]: what its answer will carry, and when it passed. Three
//! methods, told apart by what identifies the answer:
//!
//! | method | packet | answer |
//! |---|---|---|
//! | timestamp | data with a TSval that was not stamped before | TSecr equal to it (RFC 7323), and the data acknowledged |
//! | handshake | SYN, SYN-ACK | ACK of it without payload, SYN-ACK included |
//! | echo | ICMP or ICMPv6 echo request | reply with its sequence number |
//!
//! An answer that is past the awaited one closes the stamp without a sample: the true answer was lost or merged, and
//! a time measured to a later one would be too long. A SYN or request seen twice closes it too (Karn's rule).
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
    fn close(self) -> Self {
        Self(self.0 & !(3 << 32))
    }

    #[inline(always)]
    fn kind(self) -> u64 {
        self.0 >> 32 & 3
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
    /// Sequence number of its first byte.
    pub sequence: u32,
    /// Acknowledgment number.
    pub acknowledgment: u32,
    /// Says whether the peer has to acknowledge it.
    pub has_payload: bool,
}

/// Converts nanoseconds to ticks.
#[inline(always)]
pub fn ticks(now_ns: u64) -> u32 {
    (now_ns >> 6) as u32
}

/// Says whether a SYN or SYN-ACK waits for an answer from `side`.
#[inline(always)]
pub fn awaits_handshake(flow: &Flow, side: usize) -> bool {
    flow.stamp[(side ^ 1) & 1].kind() == HANDSHAKE
}

/// A segment with timestamps: matches what it answers, and stamps it when it may be. `now` is called at most once,
/// and only if something is matched or stamped. Returns also what it said, or 0.
///
/// A pure acknowledgment hands its TSval to the peer as well, so an echo of it alone does not answer the data behind
/// it: that data has to be acknowledged, too.
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
        let is_acknowledged = segment.acknowledgment.wrapping_sub(flow.sequence[other]) as i32 > 0;
        let is_answer = distance == 0 && is_acknowledged;
        if is_answer {
            at = now();
            sample = matched(waiting, flow.tunnel[other], Method::Timestamp, ticks(at));
        }
        if is_answer || distance > 0 {
            flow.stamp[other] = waiting.close();
        }
    }
    let last = flow.stamp[own];
    let distance = last.distance(segment.tsval);
    // A TSval before the one that waits: a late packet, or a new connection whose answers would be waited for in vain.
    let is_free = if last.kind() == CLOSED { distance != 0 } else { last.kind() == TIMESTAMP && distance < 0 };
    if segment.has_payload && is_free {
        at = if at == 0 { now() } else { at };
        // The stamp last: another processor that sees it sees the rest.
        flow.sequence[own] = segment.sequence;
        flow.tunnel[own] = tunnel;
        flow.stamp[own] = Stamp::new(TIMESTAMP, segment.tsval, ticks(at));
    }
    (sample, at)
}

/// What identifies the answer to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    kind: u64,
    id: u32,
}

impl Identity {
    /// The acknowledgment of a SYN or SYN-ACK.
    #[inline(always)]
    pub fn handshake(acknowledgment: u32) -> Self {
        Self { kind: HANDSHAKE, id: acknowledgment }
    }

    /// The reply to an echo request; the sequence number stands at the top of the 30 bits.
    #[inline(always)]
    pub fn echo(sequence: u32) -> Self {
        Self { kind: ECHO, id: sequence << 14 }
    }
}

/// After this many ticks (1 s) an echo request has lost its reply, and the next one may be stamped.
const ECHO_LOST: u32 = 1_000_000_000 >> 6;

/// Stamps a packet whose answer will be `identity`. One that was stamped before is a repetition, whose answer would
/// be ambiguous. While an echo request waits, those behind it pass. Returns whether the packet was stamped.
#[inline(always)]
pub fn wait(flow: &mut Flow, side: usize, identity: Identity, tunnel: u16, now: u32) -> bool {
    let (own, waiting) = (side & 1, flow.stamp[side & 1]);
    let is_first = flow.tunnel[own] == UNTRACKED || waiting.distance(identity.id) != 0;
    let is_fresh = now.wrapping_sub(waiting.time()) <= ECHO_LOST;
    if is_first && identity.kind == ECHO && waiting.kind() == ECHO && is_fresh {
        return false;
    }
    let kind = if is_first { identity.kind } else { CLOSED };
    flow.stamp[own] = Stamp::new(kind, identity.id, now);
    flow.tunnel[own] = tunnel;
    is_first
}

/// Forgets what waits in the other direction: a new connection begins.
#[inline(always)]
pub fn begin(flow: &mut Flow, side: usize, now: u32) {
    flow.stamp[(side ^ 1) & 1] = Stamp::closed(0, now);
}

/// Matches an answer; returns by which method.
#[inline(always)]
pub fn answer(flow: &mut Flow, side: usize, identity: Identity, now: u32) -> Option<Method> {
    let other = (side ^ 1) & 1;
    let waiting = flow.stamp[other];
    if waiting.kind() != identity.kind {
        return None;
    }
    let distance = waiting.distance(identity.id);
    if distance < 0 {
        return None;
    }
    flow.stamp[other] = Stamp::closed(identity.id, now);
    if distance > 0 {
        return None;
    }
    Some(if identity.kind == ECHO { Method::Echo } else { Method::Handshake })
}

/// The sample of a match, unless the clocks of two processors make it negative or it is older than the wrap allows.
#[inline(always)]
pub(crate) fn matched(waiting: Stamp, tunnel: u16, method: Method, now: u32) -> Option<Sample> {
    let passed = now.wrapping_sub(waiting.time());
    if passed as i32 >= 0 { Some(Sample { rtt_ns: u64::from(passed) << 6, method, tunnel }) } else { None }
}
