//! The pipeline: a packet, its direction, the time and the tables in; counts and events out.

use crate::account::account;
use crate::fast;
use crate::frame::Frame;
use crate::packet::{self, Packet};
use crate::report::report;
use crate::round_trip::round_trip;
use crate::tables::{Next, Tables};
use crate::wire::Bytes;

/// Observes one packet. `scratch` holds the parsed packet when the short way did not do.
///
/// The kernel runs the same steps as programs of their own, each of which hands over to the next by a tail call.
/// Returns whether `scratch` was filled.
pub fn observe<B: Bytes, T: Tables>(
    bytes: B,
    frame: &Frame,
    tables: &mut T,
    scratch: &mut Packet,
    now: impl Fn() -> u64,
) -> bool {
    let short = fast::observe(bytes, frame, tables, &now);
    let is_long = short == Next::Parse;
    let next = if is_long { long(bytes, frame, tables, scratch, now()) } else { short };
    if next == Next::Report
        && let Some(pending) = tables.pending().copied()
    {
        report(&pending, scratch, tables);
    }
    is_long
}

/// The long way up to its report.
fn long<B: Bytes, T: Tables>(bytes: B, frame: &Frame, tables: &mut T, scratch: &mut Packet, now_ns: u64) -> Next {
    packet::parse(bytes, frame, tables.ports(), scratch);
    match account(scratch, tables, now_ns) {
        Next::RoundTrip => round_trip(scratch, tables, now_ns),
        next @ (Next::Done | Next::Parse | Next::Report) => next,
    }
}
