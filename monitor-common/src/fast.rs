//! The short way: packets that are not ours, and the tunnel packets that nearly all of ours are.
//!
//! It either finishes a packet, with exactly the effects of [`crate::packet::parse`], [`crate::account::account`],
//! [`crate::round_trip::round_trip`] and [`crate::report::report`], or declines it before any effect. It takes IPv4
//! without options and IPv6 without extension headers, no outer fragment, no Geneve option or a single one of one word,
//! and inside UDP, or TCP with the timestamps where Linux puts them. A packet that is not ours leaves after one look at
//! its headers.
//!
//! It comes in two parts, each of which the kernel runs as a program of its own: nearly all tunnels run over IPv4, and
//! what those do not need costs them nothing.
//!
//! Each header is read where it lies, at constant offsets from a pointer that moves from layer to layer: a value that
//! is kept costs the kernel a store and a load on the stack, one that is read again costs a load.

mod inner;
mod outer;
mod segment;

use crate::count::Share;
use crate::frame::Frame;
use crate::packet::Class;
use crate::rtt::Leg;
use crate::tables::{self, Next, Tables};
use crate::wire::Bytes;
use inner::Transport;
use outer::Outer;
use segment::Answer;

/// Why a packet is not finished as a tunnel packet.
enum Exit {
    /// It is not ours.
    NotOurs,
    /// It is over IPv6.
    OverV6,
    /// It has to go the long way.
    Declined,
}

/// Observes a packet over IPv4; [`Next::OverV6`] and [`Next::Parse`] say that it was declined. `frame` says
/// what is known besides the bytes, and is called when it matters; `now` is called at most once.
#[inline(always)]
pub fn over_v4<B: Bytes, T: Tables>(
    bytes: B,
    frame: impl Fn() -> Frame + Copy,
    tables: &mut T,
    now: impl Fn() -> u64,
) -> Next {
    let outer = outer::over_v4(bytes, frame, tables);
    let next = outer.and_then(|outer| {
        tunnelled(&outer, frame, tables, now, |tables, answer| {
            let leg = Leg::of_answer(frame().direction());
            if !answer.is_due
                && tables.limits_events()
                && let Some(place) = tables::place(tables, answer.sample.tunnel)
                && tables::count(tables, place, leg, &answer.sample)
            {
                tables.at(place).held_back += 1;
                return Next::Done;
            }
            pend(tables, &frame(), outer.payload, answer);
            Next::Match
        })
    });
    settled(next, frame, tables)
}

/// Observes a packet over IPv6 that [`over_v4`] has left, in the same way; every sample is left to [`Next::Match`].
#[inline(always)]
pub fn over_v6<B: Bytes, T: Tables>(
    bytes: B,
    frame: impl Fn() -> Frame + Copy,
    tables: &mut T,
    now: impl Fn() -> u64,
) -> Next {
    let outer = outer::over_v6(bytes, frame, tables);
    let next = outer.and_then(|outer| {
        tunnelled(&outer, frame, tables, now, |tables, answer| {
            pend(tables, &frame(), outer.payload, answer);
            Next::Match
        })
    });
    settled(next, frame, tables)
}

/// A packet of a tunnel that is known: counts it, and hands on the answer that it may be.
#[inline(always)]
fn tunnelled<B: Bytes, T: Tables>(
    outer: &Outer<B, T::Place>,
    frame: impl Fn() -> Frame,
    tables: &mut T,
    now: impl Fn() -> u64,
    answered: impl FnOnce(&mut T, Answer<B>) -> Next,
) -> Result<Next, Exit> {
    let inner = inner::inner(outer.payload)?;
    // The inner packet ends before the outer one does: all its headers are inside.
    if inner.length + outer.overhead > outer.length {
        return Err(Exit::Declined);
    }
    if let Transport::Segment(segment) = inner.transport {
        let segment = (segment, outer.length);
        let next = segment::segment(tables, outer.place, segment, now, |tables, answer| {
            counted(tables, &frame(), outer, inner.length);
            answered(tables, answer)
        })?;
        if let Some(next) = next {
            return Ok(next);
        }
    }
    counted(tables, &frame(), outer, inner.length);
    Ok(Next::Done)
}

/// Counts the packet in its tunnel.
#[inline(always)]
fn counted<B: Bytes, T: Tables>(tables: &mut T, frame: &Frame, outer: &Outer<B, T::Place>, inner_length: u32) {
    let share = Share::whole(frame, outer.length, inner_length, outer.overhead as u16);
    let traffic = tables.at(outer.place).traffic_mut(frame.direction());
    // Before all else: what is at hand now need not be kept.
    if outer.is_df_clear() {
        traffic.outer_df_clear += 1;
    }
    traffic.add_usual(share);
}

/// Leaves a sample to the steps that follow; `payload` is the inner packet from Ethernet on.
#[inline(always)]
fn pend<B: Bytes, T: Tables>(tables: &mut T, frame: &Frame, payload: B, answer: Answer<B>) {
    let is_due = answer.is_due || !tables.limits_events();
    if let Some(found) = segment::found(frame, payload, answer)
        && let Some(pending) = tables.pending()
    {
        pending.begin(answer.now_ns);
        pending.sample(&found, is_due);
    }
}

/// Counts what is not ours.
#[inline(always)]
fn settled<T: Tables>(next: Result<Next, Exit>, frame: impl Fn() -> Frame, tables: &mut T) -> Next {
    match next {
        Ok(next) => next,
        Err(Exit::Declined) => Next::Parse,
        Err(Exit::OverV6) => Next::OverV6,
        Err(Exit::NotOurs) => {
            let frame = frame();
            if let Some(totals) = tables.totals(frame.device) {
                totals.seen(frame.direction(), Class::Other, frame.packets());
            }
            Next::Done
        }
    }
}
