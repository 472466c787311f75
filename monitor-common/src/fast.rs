//! The short way: packets that are not ours, and the tunnel packets that nearly all of ours are.
//!
//! It either finishes a packet, with exactly the effects of [`crate::packet::parse`], [`crate::account::account`] and
//! [`crate::round_trip::round_trip`], or declines it before any effect. It takes IPv4 without options and IPv6 without
//! extension headers, no outer fragment, no Geneve option or a single one of one word, and inside UDP, or TCP with the
//! timestamps where Linux puts them. A packet that is not ours leaves after one look at its headers.

mod inner;
mod outer;

use crate::count::Share;
use crate::event::Kind;
use crate::event::pending::Match;
use crate::flow::Key;
use crate::frame::Frame;
use crate::packet::Class;
use crate::round_trip::count;
use crate::rtt::{self, Leg, Segment};
use crate::tables::{self, Next, Tables};
use crate::tunnel::Tunnel;
use crate::wire::{Bytes, tcp};
use inner::{Inner, TcpSegment};
use outer::Outer;

/// Why a packet is not finished as a tunnel packet.
enum Exit {
    /// It is not ours.
    NotOurs,
    /// It has to go the long way.
    Declined,
}

/// What a finished tunnel packet was in its conversation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// No answer.
    Plain,
    /// An answer whose event comes too soon after another one.
    Suppressed,
    /// An answer whose event waits.
    Reported,
}

/// Observes a packet; [`Next::Parse`] says that it was declined. `now` is called at most once.
#[inline(always)]
pub fn observe<B: Bytes, T: Tables>(bytes: B, frame: &Frame, tables: &mut T, now: impl Fn() -> u64) -> Next {
    let (class, packets, role) = match look(bytes, frame, tables, now) {
        Ok(role) => (Class::Geneve, 1, role),
        Err(Exit::NotOurs) => (Class::Other, frame.packets(), Role::Plain),
        Err(Exit::Declined) => return Next::Parse,
    };
    if let Some(totals) = tables.totals(frame.device) {
        totals.seen(frame.direction(), class, packets);
        if role == Role::Suppressed {
            totals.outcome(Kind::Rtt).suppress();
        }
    }
    if role == Role::Reported { Next::Report } else { Next::Done }
}

#[inline(always)]
fn look<B: Bytes, T: Tables>(bytes: B, frame: &Frame, tables: &mut T, now: impl Fn() -> u64) -> Result<Role, Exit> {
    let (outer, header) = outer::outer(bytes, tables)?;
    let (vni, payload) = outer::geneve(bytes, frame, &outer, header)?;
    let inner = inner::inner(bytes, payload, outer.end)?;
    let tunnel = Tunnel::new(frame.device, vni, outer.source, outer.destination, frame.direction());
    let seed = tables.seed();
    let slot = tables::find(tables, &tunnel, seed).ok_or(Exit::Declined)?;
    let role = match inner.segment {
        Some(segment) => round_trip(tables, frame, &outer, &inner, (segment, slot as u16), now)?,
        None => Role::Plain,
    };
    let share = Share::whole(frame, outer.length, inner.length, (inner.offset - outer.offset) as u16);
    if let Some(counters) = tables.counters(slot) {
        counters.traffic_mut(frame.direction()).add(share);
    }
    Ok(role)
}

/// Stamps the segment in its flow, or finds the one that it answers. Declines what only the long way can do: a
/// flow that is new, and an answer to a SYN or SYN-ACK.
#[inline(always)]
fn round_trip<T: Tables>(
    tables: &mut T,
    frame: &Frame,
    outer: &Outer,
    inner: &Inner,
    (segment, slot): (TcpSegment, u16),
    now: impl Fn() -> u64,
) -> Result<Role, Exit> {
    let ends = [(inner.source, segment.source_port), (inner.destination, segment.destination_port)];
    let key = Key::new(tables.flow_seed(), (outer.source, outer.destination), ends, tcp::PROTOCOL);
    let is_limited = tables.limits_events();
    let index = key.bucket(tables.flow_mask());
    let Some(flow) = tables.flows(index).and_then(|bucket| bucket.find(key)) else {
        let is_new = segment.has_payload && segment.timestamps.is_some();
        return if is_new { Err(Exit::Declined) } else { Ok(Role::Plain) };
    };
    if rtt::awaits_handshake(flow, key.side) {
        return Err(Exit::Declined);
    }
    let Some((tsval, tsecr)) = segment.timestamps else { return Ok(Role::Plain) };
    let TcpSegment { sequence, acknowledgment, has_payload, .. } = segment;
    let segment = Segment { tsval, tsecr, sequence, acknowledgment, has_payload };
    let (sample, now_ns) = rtt::timestamp(flow, key.side, segment, slot, now);
    let Some(sample) = sample else { return Ok(Role::Plain) };
    let is_due = flow.may_report((now_ns >> 23) as u8) || !is_limited;
    let leg = Leg::of_answer(frame.direction());
    let found = Match { sample, leg, device: frame.device, protocol: tcp::PROTOCOL, ends };
    count(tables, &found);
    if !is_due {
        return Ok(Role::Suppressed);
    }
    if let Some(pending) = tables.pending() {
        pending.sample_alone(&found, now_ns);
    }
    Ok(Role::Reported)
}
