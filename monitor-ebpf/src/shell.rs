//! What all hooks share: the steps of the long way, once the packet's bytes can be read.

use core::arch::asm;
use core::ptr;

use aya_ebpf::EbpfContext;
use aya_ebpf::maps::ProgramArray;
use monitor_common::frame::{Direction, Frame};
use monitor_common::tables::{Next, Tables};
use monitor_common::wire::Bytes;
use monitor_common::{account, loss, packet, report, round_trip};

use crate::maps::{
    self, ACCOUNT, INNER, LOSS, MATCH, Maps, OUTER, OUTER_TX, REPORT, REPORT_FLOW, ROUND_TRIP, V6, V6_TX,
};

/// Goes on with a step. It returns only if user space put no program there, which it checks before it attaches anything.
///
/// The step is part of the instruction's text: where several calls become one, with the step in a variable, the kernel
/// cannot jump to the program directly, and an indirect jump costs 10 ns and more.
#[inline(always)]
pub(crate) fn follow<const STEP: u32, C: EbpfContext>(steps: &ProgramArray, context: &C) {
    // SAFETY: the helper (12, bpf_tail_call) takes the context that the kernel gave to this program, a program array and
    // an index, and overwrites the registers that are named; the programs of one hook are of one type.
    unsafe {
        asm!(
            "r3 = {step}",
            "call 12",
            step = const STEP,
            inout("r1") context.as_ptr() => _,
            inout("r2") ptr::from_ref(steps) => _,
            out("r0") _,
            out("r3") _,
            out("r4") _,
            out("r5") _,
        );
    }
    #[cfg(feature = "diagnostics")]
    aya_log_ebpf::warn!(context, "no program for step {}", STEP);
}

/// Parses the underlay packet into this processor's memory and goes on.
#[inline(always)]
pub(crate) fn outer<B: Bytes, C: EbpfContext>(steps: &ProgramArray, context: &C, bytes: B, frame: &Frame) {
    let Some(packet) = maps::packet() else { return };
    let has_payload = packet::parse_outer(bytes, frame, Maps.ports(), packet);
    if has_payload {
        follow::<INNER, C>(steps, context);
    } else {
        follow::<ACCOUNT, C>(steps, context);
    }
}

/// Parses what is in the tunnel and goes on.
#[inline(always)]
pub(crate) fn inner<B: Bytes, C: EbpfContext>(steps: &ProgramArray, context: &C, bytes: B) {
    if let Some(packet) = maps::packet() {
        packet::parse_inner(bytes, packet);
    }
    follow::<ACCOUNT, C>(steps, context);
}

/// Accounts for the packet in this processor's memory and goes on.
#[inline(always)]
pub(crate) fn account<C: EbpfContext>(steps: &ProgramArray, context: &C) {
    let Some(packet) = maps::packet() else { return };
    go_on(steps, context, account::account(packet, &mut Maps, maps::now()), Direction::Rx);
}

/// Looks for missing data of the flow of the packet in this processor's memory and goes on.
#[inline(always)]
pub(crate) fn loss<C: EbpfContext>(steps: &ProgramArray, context: &C) {
    let now_ns = Maps.pending().map_or(0, |pending| pending.now_ns());
    let Some(packet) = maps::packet() else { return };
    go_on(steps, context, loss::loss(packet, &mut Maps, now_ns), Direction::Rx);
}

/// Finds the round trip of the packet in this processor's memory and goes on.
#[inline(always)]
pub(crate) fn round_trip<C: EbpfContext>(steps: &ProgramArray, context: &C) {
    // Account has read the clock, and a packet has one time.
    let now_ns = Maps.pending().map_or(0, |pending| pending.now_ns());
    let Some(packet) = maps::packet() else { return };
    go_on(steps, context, round_trip::round_trip(packet, &mut Maps, now_ns), Direction::Rx);
}

/// Counts the sample that is pending, sends it, and goes on.
#[inline(always)]
pub(crate) fn matched<C: EbpfContext>(steps: &ProgramArray, context: &C) {
    go_on(steps, context, round_trip::matched(&mut Maps), Direction::Rx);
}

/// Reports what the packet in this processor's memory says about its flow, and goes on.
#[inline(always)]
pub(crate) fn report_flow<C: EbpfContext>(steps: &ProgramArray, context: &C) {
    let (Some(now_ns), Some(packet)) = (Maps.pending().map(|pending| pending.now_ns()), maps::packet()) else { return };
    go_on(steps, context, report::flow(packet, &mut Maps, now_ns), Direction::Rx);
}

/// Reports the packet in this processor's memory.
#[inline(always)]
pub(crate) fn report() {
    let (Some(now_ns), Some(packet)) = (Maps.pending().map(|pending| pending.now_ns()), maps::packet()) else { return };
    report::report(packet, &mut Maps, now_ns);
}

/// Goes on with the step that follows in a direction.
#[inline(always)]
pub(crate) fn go_on<C: EbpfContext>(steps: &ProgramArray, context: &C, next: Next, direction: Direction) {
    match (next, direction) {
        (Next::Done, _) => {}
        (Next::OverV6, Direction::Rx) => follow::<V6, C>(steps, context),
        (Next::OverV6, Direction::Tx) => follow::<V6_TX, C>(steps, context),
        (Next::Parse, Direction::Rx) => follow::<OUTER, C>(steps, context),
        (Next::Parse, Direction::Tx) => follow::<OUTER_TX, C>(steps, context),
        (Next::Loss, _) => follow::<LOSS, C>(steps, context),
        (Next::RoundTrip, _) => follow::<ROUND_TRIP, C>(steps, context),
        (Next::Match, _) => follow::<MATCH, C>(steps, context),
        (Next::ReportFlow, _) => follow::<REPORT_FLOW, C>(steps, context),
        (Next::Report, _) => follow::<REPORT, C>(steps, context),
    }
}
