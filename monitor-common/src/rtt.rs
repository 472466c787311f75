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

mod stamp;

use crate::flow::Flow;
use crate::frame::Direction;
use crate::frame::UNTRACKED;
use crate::packet::Packet;
use stamp::{CLOSED, ECHO, HANDSHAKE, TIMESTAMP};

pub(crate) use stamp::Stamp;

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

/// A sample: the time between a packet and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Round-trip time, in ticks.
    pub ticks: u32,
    /// How it was taken.
    pub method: Method,
    /// Slot of the tunnel whose packet was stamped.
    pub tunnel: u16,
    /// Outer IP length of that packet, in bytes, rounded down to 16.
    pub length: u16,
}

impl Sample {
    /// Round-trip time, in nanoseconds.
    #[inline(always)]
    pub fn rtt_ns(&self) -> u64 {
        u64::from(self.ticks) * TICK_NS
    }
}

/// The part of a TCP segment with timestamps that identifies packets and answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamps {
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
    /// Outer IP length of its packet on the wire, in bytes.
    pub length: u32,
}

impl Timestamps {
    /// Those of a segment.
    #[inline(always)]
    pub(crate) fn of(packet: &Packet) -> Self {
        Self {
            tsval: packet.tsval,
            tsecr: packet.tsecr,
            sequence: packet.sequence,
            acknowledgment: packet.acknowledgment,
            has_payload: packet.tcp_payload != 0,
            length: packet.wire_length(),
        }
    }
}

/// A tick, in nanoseconds.
pub const TICK_NS: u64 = 64;

/// Converts nanoseconds to ticks.
#[inline(always)]
pub fn ticks(now_ns: u64) -> u32 {
    (now_ns / TICK_NS) as u32
}

/// Says whether a SYN or SYN-ACK waits for an answer from `side`, or data that it has not got.
#[inline(always)]
pub fn is_rare(flow: &Flow, side: usize) -> bool {
    flow.stamp[(side ^ 1) & 1].is_rare()
}

/// Says whether a segment has data that was sent before and waits for its acknowledgment, or is missing. With the TSval of
/// the stamp it is none: nearly always that is the same one again, and then nothing else is looked at.
#[inline(always)]
pub fn is_sent_again(flow: &Flow, side: usize, segment: &Timestamps) -> bool {
    let stamp = flow.stamp[side & 1];
    segment.has_payload
        && stamp.distance(segment.tsval) != 0
        && flow.sequence[side & 1] == segment.sequence
        && stamp.is_lost_by(segment.tsval)
}

/// A segment with timestamps: matches what it answers, and stamps it when it may be. `now` is called at most once,
/// and only if something is matched or stamped. Returns the sample, if there is one, and what `now` said.
///
/// A pure acknowledgment hands its TSval to the peer as well, so an echo of it alone does not answer the data behind
/// it: that data has to be acknowledged, too.
#[inline(always)]
pub fn timestamp(
    flow: &mut Flow,
    side: usize,
    segment: &Timestamps,
    tunnel: u16,
    now: impl Fn() -> u64,
) -> Option<(Sample, u64)> {
    let (own, other) = (side & 1, (side ^ 1) & 1);
    // Both before any of them is written: of the own one it is known already how far it is.
    let (waiting, stamp) = (flow.stamp[other], flow.stamp[own]);
    let past = waiting.distance(segment.tsecr);
    // Values from the start, and no `Option`: what that leaves undefined would be read from the stack, of which the
    // verifier of 6.18 says that it has found a bug of its own, and older ones refuse the program.
    let (mut is_answer, mut now_ns) = (false, 0);
    if waiting.kind() == TIMESTAMP && past >= 0 {
        let is_acknowledged = segment.acknowledgment.wrapping_sub(flow.sequence[other]) as i32 > 0;
        if past == 0 && is_acknowledged {
            (is_answer, now_ns) = (true, now());
        }
        if past != 0 || is_acknowledged {
            flow.stamp[other] = waiting.close();
        }
    }
    if segment.has_payload && stamp.is_free_for(segment.tsval) {
        if !is_answer {
            now_ns = now();
        }
        // The stamp last: another processor that sees it sees the rest.
        flow.sequence[own] = segment.sequence;
        flow.tunnel[own] = tunnel;
        flow.stamp[own] = Stamp::new(TIMESTAMP, segment.tsval, segment.length, ticks(now_ns));
    }
    if !is_answer {
        return None;
    }
    let sample = matched(waiting, flow.tunnel[other], Method::Timestamp, ticks(now_ns))?;
    Some((sample, now_ns))
}

/// What identifies the answer to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    kind: u32,
    id: u32,
}

impl Identity {
    /// The acknowledgment of a SYN or SYN-ACK.
    #[inline(always)]
    pub fn handshake(acknowledgment: u32) -> Self {
        Self { kind: HANDSHAKE, id: acknowledgment }
    }

    /// The reply to an echo request; the sequence number stands at the top of the 20 bits.
    #[inline(always)]
    pub fn echo(sequence: u32) -> Self {
        Self { kind: ECHO, id: sequence << 4 }
    }
}

/// After this many ticks (1 s) an echo request has lost its reply, and the next one may be stamped.
const ECHO_LOST: u32 = (1_000_000_000 / TICK_NS) as u32;

/// Stamps a packet whose answer will be `identity`. One that was stamped before is a repetition, whose answer would
/// be ambiguous. While an echo request waits, those behind it pass. Returns whether the packet was stamped.
#[inline(always)]
pub fn wait(flow: &mut Flow, side: usize, identity: Identity, (tunnel, length): (u16, u32), now: u32) -> bool {
    let (own, waiting) = (side & 1, flow.stamp[side & 1]);
    let is_first = flow.tunnel[own] == UNTRACKED || waiting.distance(identity.id) != 0;
    let is_fresh = now.wrapping_sub(waiting.time()) <= ECHO_LOST;
    if is_first && identity.kind == ECHO && waiting.kind() == ECHO && is_fresh {
        return false;
    }
    let kind = if is_first { identity.kind } else { CLOSED };
    flow.stamp[own] = Stamp::new(kind, identity.id, length, now);
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
    let sample = Sample { ticks: passed, method, tunnel, length: waiting.length() };
    if passed as i32 >= 0 { Some(sample) } else { None }
}
