//! What all hooks share: the steps of the long way, once the packet's bytes can be read.

use aya_ebpf::EbpfContext;
use aya_ebpf::maps::ProgramArray;
use monitor_common::frame::Frame;
use monitor_common::tables::{Next, Tables};
use monitor_common::wire::Bytes;
use monitor_common::{account, packet, report, round_trip};

use crate::maps::{self, ACCOUNT, INNER, MATCH, Maps, OUTER, OUTER_TX, REPORT, ROUND_TRIP, V6, V6_TX};

/// Goes on with a step of the long way. It returns only if user space put no program there, which it checks before
/// it attaches anything.
#[inline(always)]
pub(crate) fn follow<C: EbpfContext>(steps: &ProgramArray, context: &C, step: u32) {
    // SAFETY: the context is the one that the kernel gave to this program, and the programs of one hook are of one type.
    unsafe { steps.tail_call(context, step) };
    #[cfg(feature = "diagnostics")]
    aya_log_ebpf::warn!(context, "no program for step {}", step);
}

/// Parses the underlay packet into this processor's memory and goes on.
#[inline(always)]
pub(crate) fn outer<B: Bytes, C: EbpfContext>(steps: &ProgramArray, context: &C, bytes: B, frame: &Frame) {
    let Some(packet) = maps::packet() else { return };
    let has_payload = packet::parse_outer(bytes, frame, Maps.ports(), packet);
    follow(steps, context, if has_payload { INNER } else { ACCOUNT });
}

/// Parses what is in the tunnel and goes on.
#[inline(always)]
pub(crate) fn inner<B: Bytes, C: EbpfContext>(steps: &ProgramArray, context: &C, bytes: B) {
    if let Some(packet) = maps::packet() {
        packet::parse_inner(bytes, packet);
    }
    follow(steps, context, ACCOUNT);
}

/// Accounts for the packet in this processor's memory and goes on.
#[inline(always)]
pub(crate) fn account<C: EbpfContext>(steps: &ProgramArray, context: &C) {
    let Some(packet) = maps::packet() else { return };
    go_on(steps, context, account::account(packet, &mut Maps, maps::now()), RX);
}

/// Finds the round trip of the packet in this processor's memory and goes on.
#[inline(always)]
pub(crate) fn round_trip<C: EbpfContext>(steps: &ProgramArray, context: &C) {
    // Account has read the clock, and a packet has one time.
    let now_ns = Maps.pending().map_or(0, |pending| pending.now_ns());
    let Some(packet) = maps::packet() else { return };
    go_on(steps, context, round_trip::round_trip(packet, &mut Maps, now_ns), RX);
}

/// Counts the sample that is pending and goes on.
#[inline(always)]
pub(crate) fn matched<C: EbpfContext>(steps: &ProgramArray, context: &C) {
    go_on(steps, context, round_trip::matched(&mut Maps), RX);
}

/// Sends the events that are pending.
#[inline(always)]
pub(crate) fn report() {
    let (Some(pending), Some(packet)) = (Maps.pending().map(|pending| *pending), maps::packet()) else { return };
    report::report(&pending, packet, &mut Maps);
}

/// Goes on with the step that follows.
#[inline(always)]
pub(crate) fn go_on<C: EbpfContext>(steps: &ProgramArray, context: &C, next: Next, first: First) {
    match next {
        Next::Done => {}
        Next::OverV6 => follow(steps, context, first.v6),
        Next::Parse => follow(steps, context, first.outer),
        Next::RoundTrip => follow(steps, context, ROUND_TRIP),
        Next::Match => follow(steps, context, MATCH),
        Next::Report => follow(steps, context, REPORT),
    }
}

/// The steps that have to know the direction.
#[derive(Clone, Copy)]
pub(crate) struct First {
    v6: u32,
    outer: u32,
}

/// Those of a received packet.
pub(crate) const RX: First = First { v6: V6, outer: OUTER };
/// Those of a transmitted packet.
pub(crate) const TX: First = First { v6: V6_TX, outer: OUTER_TX };
