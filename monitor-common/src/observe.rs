//! The pipeline: a packet, its direction, the time and the tables in; counts and events out.

use crate::account::account;
use crate::fast;
use crate::frame::Frame;
use crate::loss::loss;
use crate::packet::{self, Packet};
use crate::report;
use crate::round_trip::{matched, round_trip};
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
    let mut next = fast::over_v4(bytes, || *frame, tables, &now);
    if next == Next::OverV6 {
        next = fast::over_v6(bytes, || *frame, tables, &now);
    }
    if next == Next::Parse {
        long_way(bytes, frame, tables, scratch, now());
        return true;
    }
    last_steps(next, scratch, tables);
    false
}

/// Observes one packet without trying the short way first: the effects are the same.
pub fn long_way<B: Bytes, T: Tables>(bytes: B, frame: &Frame, tables: &mut T, scratch: &mut Packet, now_ns: u64) {
    packet::parse(bytes, frame, tables.ports(), scratch);
    let mut next = account(scratch, tables, now_ns);
    if next == Next::Loss {
        next = loss(scratch, tables, now_ns);
    }
    if next == Next::RoundTrip {
        next = round_trip(scratch, tables, now_ns);
    }
    last_steps(next, scratch, tables);
}

fn last_steps<T: Tables>(mut next: Next, packet: &Packet, tables: &mut T) {
    if next == Next::Match {
        next = matched(tables);
    }
    if next == Next::ReportFlow
        && let Some(now_ns) = tables.pending().map(|pending| pending.now_ns())
    {
        next = report::flow(packet, tables, now_ns);
    }
    if next == Next::Report
        && let Some(now_ns) = tables.pending().map(|pending| pending.now_ns())
    {
        report::report(packet, tables, now_ns);
    }
}
