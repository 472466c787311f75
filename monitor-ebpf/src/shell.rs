//! What all hooks share: the steps of the long way, once the packet's bytes can be read.

use aya_ebpf::EbpfContext;
use aya_ebpf::maps::ProgramArray;
use monitor_common::frame::Frame;
use monitor_common::tables::Tables;
use monitor_common::wire::Bytes;
use monitor_common::{account, packet, round_trip};

use crate::maps::{self, ACCOUNT, INNER, Maps, ROUND_TRIP};

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
        packet::parse_inner(bytes, Maps.ports(), packet);
    }
    follow(steps, context, ACCOUNT);
}

/// Accounts for the packet in this processor's memory and goes on.
#[inline(always)]
pub(crate) fn account<C: EbpfContext>(steps: &ProgramArray, context: &C) {
    let Some(packet) = maps::packet() else { return };
    if account::account(packet, &mut Maps, maps::now()) {
        follow(steps, context, ROUND_TRIP);
    }
}

/// Finds the round trip of the packet in this processor's memory.
#[inline(always)]
pub(crate) fn round_trip() {
    if let Some(packet) = maps::packet() {
        round_trip::round_trip(packet, &mut Maps, maps::now());
    }
}
