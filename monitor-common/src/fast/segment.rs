//! TCP on the short way: a segment is stamped in its flow, or answers what was stamped there.

use super::Exit;
use super::inner::{self, Segment};
use crate::event::pending::Match;
use crate::flow::Key;
use crate::frame::Frame;
use crate::rtt::{self, Leg, Sample, Timestamps};
use crate::tables::Tables;
use crate::wire::tcp::{self, Tcp};
use crate::wire::{Bytes, Window};

/// The header with Linux's timestamps behind it.
const WITH_TIMESTAMPS: usize = tcp::LENGTH + 12;

/// The two bytes of header length and flags, and those bits of them that make a segment of a usual kind: an
/// acknowledgment, none of FIN, SYN and RST, with Linux's timestamps and no other option, or without any.
const MATTERS: u16 = u16::from_ne_bytes([0xf0, (tcp::FIN | tcp::SYN | tcp::RST | tcp::ACK) as u8]);
const TIMED: u16 = u16::from_ne_bytes([(WITH_TIMESTAMPS as u8 / 4) << 4, tcp::ACK as u8]);
const BARE: u16 = u16::from_ne_bytes([(tcp::LENGTH as u8 / 4) << 4, tcp::ACK as u8]);

/// A segment that answered another one.
#[derive(Clone, Copy)]
pub(super) struct Answer<B> {
    pub(super) sample: Sample,
    pub(super) now_ns: u64,
    /// Says whether its flow may send an event again.
    pub(super) is_due: bool,
    /// From the TCP header on.
    bytes: B,
}

/// Stamps a segment, or finds what it answers; `outer_length` is that of the outer packet. Declines what only the long way
/// can do: SYN, FIN and RST, options of other kinds, a flow that is new, an answer to a SYN or SYN-ACK, and what is about
/// missing data: SACK, data that was sent before, and all answers while some is missing. Where there is an answer, what
/// `answered` makes of it is returned: a value that is handed on from a place to the next has to be kept on the stack.
#[inline(always)]
pub(super) fn segment<B: Bytes, T: Tables, R>(
    tables: &mut T,
    place: T::Place,
    (segment, outer_length): (Segment<B>, u32),
    now: impl Fn() -> u64,
    answered: impl FnOnce(&mut T, Answer<B>) -> R,
) -> Result<Option<R>, Exit> {
    let header = segment.bytes.near::<{ tcp::LENGTH }>(0).ok_or(Exit::Declined)?;
    let kind = header.raw16::<12>() & MATTERS;
    let is_timed = kind == TIMED;
    if !is_timed && kind != BARE {
        return Err(Exit::Declined);
    }
    let header_length = if is_timed { WITH_TIMESTAMPS } else { tcp::LENGTH } as i32;
    if header_length > segment.length {
        return Err(Exit::Declined);
    }
    let counters = tables.at(place);
    let (endpoints, slot) = (counters.tunnel.endpoints(), counters.slot);
    let key = Key::new(tables.flow_seed(), endpoints, segment.ends, tcp::PROTOCOL);
    let index = key.bucket(tables.flow_mask());
    let Some(flow) = tables.flows(index).and_then(|bucket| bucket.find(key)) else {
        return if is_timed && header_length < segment.length { Err(Exit::Declined) } else { Ok(None) };
    };
    if rtt::is_rare(flow, key.side) {
        return Err(Exit::Declined);
    }
    if !is_timed {
        return Ok(None);
    }
    let timestamps = timestamps(segment, outer_length)?;
    if rtt::is_sent_again(flow, key.side, &timestamps) {
        return Err(Exit::Declined);
    }
    let Some((sample, now_ns)) = rtt::timestamp(flow, key.side, &timestamps, slot, now) else { return Ok(None) };
    let is_due = flow.may_report((now_ns >> 23) as u8);
    Ok(Some(answered(tables, Answer { sample, now_ns, is_due, bytes: segment.bytes })))
}

/// What is read of a segment with timestamps, where Linux puts them: behind two NOPs, first of all options.
#[inline(always)]
fn timestamps<B: Bytes>(segment: Segment<B>, outer_length: u32) -> Result<Timestamps, Exit> {
    let window = segment.bytes.near::<WITH_TIMESTAMPS>(0).ok_or(Exit::Declined)?;
    if window.raw32::<20>() != tcp::TIMESTAMP_FIRST.to_be() {
        return Err(Exit::Declined);
    }
    let header = Tcp(window.part::<0, { tcp::LENGTH }>());
    Ok(Timestamps {
        tsval: window.be32::<24>(),
        tsecr: window.be32::<28>(),
        sequence: header.sequence(),
        acknowledgment: header.acknowledgment(),
        has_payload: segment.length > WITH_TIMESTAMPS as i32,
        length: outer_length,
    })
}

/// The sample with both ends of its conversation; `payload` is the inner packet from Ethernet on.
#[inline(always)]
pub(super) fn found<B: Bytes>(frame: &Frame, payload: B, answer: Answer<B>) -> Option<Match> {
    let [source, destination] = inner::addresses(payload)?;
    let header = Tcp(answer.bytes.near::<{ tcp::LENGTH }>(0)?);
    let ends = [(source, header.source_port()), (destination, header.destination_port())];
    let leg = Leg::of_answer(frame.direction());
    Some(Match { sample: answer.sample, leg, device: frame.device, protocol: tcp::PROTOCOL, ends })
}
