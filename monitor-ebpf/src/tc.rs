//! TC programs: frames on their way out, before they are cut into segments, and frames on their way in where XDP
//! cannot be.

use core::{hint, ptr};

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::bpf_skb_load_bytes;
use aya_ebpf::macros::classifier;
use aya_ebpf::programs::TcContext;
use monitor_common::fast;
use monitor_common::frame::{Direction, Frame};
use monitor_common::wire::{FAR, REACH, ethernet};

use crate::maps::{self, Maps, TC_STEPS};
use crate::packet::{Copied, Direct};
use crate::shell;

/// `TC_ACT_UNSPEC` for clsact, `TCX_NEXT` for TCX: the next program decides.
const NEXT: i32 = -1;

#[classifier]
fn tunmon_tc_rx(context: TcContext) -> i32 {
    let next = fast::over_v4(direct(&context), || frame(&context, Direction::Rx), &mut Maps, maps::now);
    shell::go_on(&TC_STEPS, &context, next, Direction::Rx);
    NEXT
}

#[classifier]
fn tunmon_tc_tx(context: TcContext) -> i32 {
    let next = fast::over_v4(direct(&context), || frame(&context, Direction::Tx), &mut Maps, maps::now);
    shell::go_on(&TC_STEPS, &context, next, Direction::Tx);
    NEXT
}

#[classifier]
fn tunmon_v6_r(context: TcContext) -> i32 {
    let next = fast::over_v6(direct(&context), || frame(&context, Direction::Rx), &mut Maps, maps::now);
    shell::go_on(&TC_STEPS, &context, next, Direction::Rx);
    NEXT
}

#[classifier]
fn tunmon_v6_t(context: TcContext) -> i32 {
    let next = fast::over_v6(direct(&context), || frame(&context, Direction::Tx), &mut Maps, maps::now);
    shell::go_on(&TC_STEPS, &context, next, Direction::Tx);
    NEXT
}

#[classifier]
fn tunmon_outer_r(context: TcContext) -> i32 {
    outer(&context, Direction::Rx)
}

#[classifier]
fn tunmon_outer_t(context: TcContext) -> i32 {
    outer(&context, Direction::Tx)
}

#[classifier]
fn tunmon_inner_t(context: TcContext) -> i32 {
    if let Some(bytes) = copied(context.len()) {
        shell::inner(&TC_STEPS, &context, bytes);
    }
    NEXT
}

#[classifier]
fn tunmon_acct_t(context: TcContext) -> i32 {
    shell::account(&TC_STEPS, &context);
    NEXT
}

#[classifier]
fn tunmon_loss_t(context: TcContext) -> i32 {
    shell::loss(&TC_STEPS, &context);
    NEXT
}

#[classifier]
fn tunmon_rtt_t(context: TcContext) -> i32 {
    shell::round_trip(&TC_STEPS, &context);
    NEXT
}

#[classifier]
fn tunmon_match_t(context: TcContext) -> i32 {
    shell::matched(&TC_STEPS, &context);
    NEXT
}

#[classifier]
fn tunmon_flow_t(context: TcContext) -> i32 {
    shell::report_flow(&TC_STEPS, &context);
    NEXT
}

#[classifier]
fn tunmon_report_t(_context: TcContext) -> i32 {
    shell::report();
    NEXT
}

/// The frame's bytes for the short way. Where not all headers are in one piece (a TX_RING sender leaves 14 bytes there),
/// it declines.
#[inline(always)]
fn direct(context: &TcContext) -> Direct {
    Direct::new(context.data(), context.data_end(), ptr::null_mut())
}

/// The long way works on a copy of the headers, which no layout of the frame can hide.
#[inline(always)]
fn outer(context: &TcContext, direction: Direction) -> i32 {
    let Some(bytes) = copied(context.len()) else { return NEXT };
    // The helper takes no length of 0, and older verifiers (6.1 is one) learn nothing from `!= 0`. Of a frame that is
    // shorter than an Ethernet header nothing is copied, and nothing is read. The mask changes nothing, and the compiler
    // must not know that: what a comparison of 32 bits says of the length those verifiers do not see in its copies.
    let length = (hint::black_box(bytes.length()) & FAR).max(ethernet::LENGTH) as u32;
    // SAFETY: the buffer has more than FAR bytes, and the length is at most that.
    unsafe { bpf_skb_load_bytes(context.skb.skb.cast(), 0, bytes.buffer(), length) };
    let mut frame = frame(context, direction);
    if frame.tag != 0 {
        // SAFETY: the context is the one that the kernel gave to this program.
        frame.tag = 1 << 16 | unsafe { (*context.skb.skb).vlan_tci };
    }
    shell::outer(&TC_STEPS, context, bytes, &frame);
    NEXT
}

/// The copy of a frame of `length` bytes.
#[inline(always)]
fn copied(length: u32) -> Option<Copied> {
    let scratch = maps::scratch()?;
    // SAFETY: the pointer comes from a map look-up that succeeded; no reference to the value is made.
    let (spare, buffer) = unsafe { (&raw mut (*scratch).spare, &raw mut (*scratch).bytes) };
    Some(Copied::new(buffer, if length < REACH as u32 { length as usize } else { REACH }, spare))
}

/// The frame; of a tag in the metadata only that it is there, which is all that the short way asks.
#[inline(always)]
fn frame(context: &TcContext, direction: Direction) -> Frame {
    let skb: *mut __sk_buff = context.skb.skb;
    // SAFETY: the context is the one that the kernel gave to this program; its fields are read as the kernel lays
    // them out.
    let (length, device, size) = unsafe { ((*skb).len, (*skb).ifindex, (*skb).gso_size) };
    let mut frame = Frame::new(device, direction, length);
    if size != 0 {
        frame.segment_size = size;
        // SAFETY: as above.
        frame.segments = unsafe { (*skb).gso_segs };
    }
    // SAFETY: as above.
    frame.tag = unsafe { (*skb).vlan_present };
    frame
}
