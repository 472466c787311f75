//! XDP programs: packets as they come from the device, before anything else sees them.
//!
//! Twice, because a program must say whether it takes packets in several buffers (`frags`, kernel 5.18): where the
//! device needs that, the whole chain of steps has to say so.

use core::{hint, ptr};

use aya_ebpf::bindings::xdp_action::XDP_PASS;
use aya_ebpf::helpers::bpf_xdp_get_buff_len;
use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use monitor_common::fast;
use monitor_common::frame::{Direction, Frame};

use crate::maps::{self, Maps, XDP_FRAGS_STEPS, XDP_STEPS};
use crate::packet::Direct;
use crate::shell;

#[xdp]
fn tunmon_xdp(context: XdpContext) -> u32 {
    let next = fast::over_v4(direct(&context), || whole(&context), &mut Maps, maps::now);
    shell::go_on(&XDP_STEPS, &context, next, Direction::Rx);
    XDP_PASS
}

#[xdp]
fn tunmon_v6_x(context: XdpContext) -> u32 {
    let next = fast::over_v6(direct(&context), || whole(&context), &mut Maps, maps::now);
    shell::go_on(&XDP_STEPS, &context, next, Direction::Rx);
    XDP_PASS
}

#[xdp]
fn tunmon_outer_x(context: XdpContext) -> u32 {
    if let Some(bytes) = bytes(&context) {
        shell::outer(&XDP_STEPS, &context, bytes, &whole(&context));
    }
    XDP_PASS
}

#[xdp]
fn tunmon_inner_x(context: XdpContext) -> u32 {
    if let Some(bytes) = bytes(&context) {
        shell::inner(&XDP_STEPS, &context, bytes);
    }
    XDP_PASS
}

#[xdp]
fn tunmon_acct_x(context: XdpContext) -> u32 {
    shell::account(&XDP_STEPS, &context);
    XDP_PASS
}

#[xdp]
fn tunmon_loss_x(context: XdpContext) -> u32 {
    shell::loss(&XDP_STEPS, &context);
    XDP_PASS
}

#[xdp]
fn tunmon_rtt_x(context: XdpContext) -> u32 {
    shell::round_trip(&XDP_STEPS, &context);
    XDP_PASS
}

#[xdp]
fn tunmon_match_x(context: XdpContext) -> u32 {
    shell::matched(&XDP_STEPS, &context);
    XDP_PASS
}

#[xdp]
fn tunmon_flow_x(context: XdpContext) -> u32 {
    shell::report_flow(&XDP_STEPS, &context);
    XDP_PASS
}

#[xdp]
fn tunmon_report_x(_context: XdpContext) -> u32 {
    shell::report();
    XDP_PASS
}

#[xdp(frags)]
fn tunmon_xdp_frag(context: XdpContext) -> u32 {
    let next = fast::over_v4(direct(&context), || scattered(&context), &mut Maps, maps::now);
    shell::go_on(&XDP_FRAGS_STEPS, &context, next, Direction::Rx);
    XDP_PASS
}

#[xdp(frags)]
fn tunmon_v6_f(context: XdpContext) -> u32 {
    let next = fast::over_v6(direct(&context), || scattered(&context), &mut Maps, maps::now);
    shell::go_on(&XDP_FRAGS_STEPS, &context, next, Direction::Rx);
    XDP_PASS
}

#[xdp(frags)]
fn tunmon_outer_f(context: XdpContext) -> u32 {
    if let Some(bytes) = bytes(&context) {
        let mut frame = scattered(&context);
        // Computed in 64 bits: half of a pointer may not be kept on the stack.
        frame.captured = hint::black_box(context.data_end() - context.data()) as u32;
        shell::outer(&XDP_FRAGS_STEPS, &context, bytes, &frame);
    }
    XDP_PASS
}

#[xdp(frags)]
fn tunmon_inner_f(context: XdpContext) -> u32 {
    if let Some(bytes) = bytes(&context) {
        shell::inner(&XDP_FRAGS_STEPS, &context, bytes);
    }
    XDP_PASS
}

#[xdp(frags)]
fn tunmon_acct_f(context: XdpContext) -> u32 {
    shell::account(&XDP_FRAGS_STEPS, &context);
    XDP_PASS
}

#[xdp(frags)]
fn tunmon_loss_f(context: XdpContext) -> u32 {
    shell::loss(&XDP_FRAGS_STEPS, &context);
    XDP_PASS
}

#[xdp(frags)]
fn tunmon_rtt_f(context: XdpContext) -> u32 {
    shell::round_trip(&XDP_FRAGS_STEPS, &context);
    XDP_PASS
}

#[xdp(frags)]
fn tunmon_match_f(context: XdpContext) -> u32 {
    shell::matched(&XDP_FRAGS_STEPS, &context);
    XDP_PASS
}

#[xdp(frags)]
fn tunmon_flow_f(context: XdpContext) -> u32 {
    shell::report_flow(&XDP_FRAGS_STEPS, &context);
    XDP_PASS
}

#[xdp(frags)]
fn tunmon_report_f(_context: XdpContext) -> u32 {
    shell::report();
    XDP_PASS
}

/// The packet's bytes for the short way.
#[inline(always)]
fn direct(context: &XdpContext) -> Direct {
    Direct::new(context.data(), context.data_end(), ptr::null_mut())
}

/// The packet's bytes for the long way.
#[inline(always)]
fn bytes(context: &XdpContext) -> Option<Direct> {
    let scratch = maps::scratch()?;
    // SAFETY: the pointer comes from a map look-up that succeeded; no reference to the value is made.
    let spare = unsafe { &raw mut (*scratch).spare };
    Some(Direct::new(context.data(), context.data_end(), spare))
}

/// A packet in one buffer.
#[inline(always)]
fn whole(context: &XdpContext) -> Frame {
    let length = context.data_end() - context.data();
    Frame::new(context.ingress_ifindex() as u32, Direction::Rx, length as u32)
}

/// A packet that may be in several buffers. Only the first can be read; it holds all headers.
#[inline(always)]
fn scattered(context: &XdpContext) -> Frame {
    // SAFETY: the context is the one that the kernel gave to this program.
    let length = unsafe { bpf_xdp_get_buff_len(context.ctx) };
    Frame::new(context.ingress_ifindex() as u32, Direction::Rx, length as u32)
}
