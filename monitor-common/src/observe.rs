//! The pipeline: a packet, its direction, the time and the tables in; counts and events out.

use crate::account::account;
use crate::fast;
use crate::frame::Frame;
use crate::packet::{self, Packet};
use crate::round_trip::round_trip;
use crate::tables::Tables;
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
    if fast::observe(bytes, frame, tables, &now) {
        return false;
    }
    packet::parse(bytes, frame, tables.ports(), scratch);
    let now_ns = now();
    if account(scratch, tables, now_ns) {
        round_trip(scratch, tables, now_ns);
    }
    true
}
