//! Data that its receiver lacks: what is sent again, and what an acknowledgment leaves out.
//!
//! A *hole* begins at the first byte that is missing. It takes the place of its direction's stamp, so one is known a
//! direction, and while it is there nothing is timed. It opens in four ways and closes when its first byte is
//! acknowledged:
//!
//! | opens | with |
//! |---|---|
//! | data that was stamped is sent again | a later TSval, the same sequence number |
//! | an acknowledgment has SACK blocks (RFC 2018) | what is missing before the first of them |
//! | a FIN | silently: what its sender has acknowledged, should the other side be ahead of it, and the FIN itself |
//! | an echo request comes while the one before it waits | the number of such requests, until a reply comes |

use crate::event::hole::{Hole, Step};
use crate::event::pending::Cause;
use crate::flow::{Flow, Key};
use crate::frame::UNTRACKED;
use crate::packet::Packet;
use crate::rtt::{self, Stamp, Timestamps};
use crate::tables::{Next, Tables};
use crate::tunnel::Tunnel;
use crate::wire::icmp::{self, Purpose};
use crate::wire::tcp;

/// Of a hole's id: it waits for the other side to be ahead of what a FIN acknowledged; it is a FIN.
const WATCHED: u32 = 1 << 19;
const FIN: u32 = 1 << 18;

/// What is not acknowledged for so long was lost on its way, or its acknowledgment: 200 ms, Linux's least time-out.
const OVERDUE: u32 = 200_000_000 / rtt::TICK_NS as u32;
/// The same for an echo request, when the next one comes.
const UNANSWERED: u32 = 100_000_000 / rtt::TICK_NS as u32;

/// Looks for what the packet of a tracked tunnel says about missing data, before it is timed.
#[inline(always)]
pub fn loss<T: Tables>(packet: &Packet, tables: &mut T, now_ns: u64) -> Next {
    let key = Key::of(packet, tables.flow_seed(), Tunnel::of(packet).endpoints());
    let (side, now) = (key.side & 1, rtt::ticks(now_ns));
    let found = tables.flows(key.bucket(tables.flow_mask())).and_then(|bucket| bucket.find(key));
    let Some(flow) = found else { return Next::RoundTrip };
    if packet.inner.is_fragment() {
        // One that is lost, or refused, loses all of them.
        return Next::RoundTrip;
    }
    let mut hole = Hole::default();
    match packet.inner.protocol {
        tcp::PROTOCOL => segment(packet, flow, side, now, &mut hole),
        icmp::PROTOCOL_V4 | icmp::PROTOCOL_V6 => echo(packet, flow, side, now, &mut hole),
        _ => {}
    }
    let mss = answered_mss(packet, flow, side);
    if let Some(pending) = tables.pending() {
        if hole.step != 0 {
            pending.hole = hole;
            pending.report(Cause::Hole);
        }
        if mss != 0 {
            pending.mss = mss as u16;
            pending.report(Cause::Handshake);
        }
    }
    Next::RoundTrip
}

/// MSS of the SYN that a SYN-ACK answers, or 0.
#[inline(always)]
fn answered_mss(packet: &Packet, flow: &Flow, side: usize) -> u32 {
    let is_syn_ack = packet.tcp_flags & (tcp::SYN | tcp::ACK) == tcp::SYN | tcp::ACK;
    let is_answer = is_syn_ack && flow.stamp[(side ^ 1) & 1].is_handshake(packet.acknowledgment);
    if is_answer { flow.sequence[(side ^ 1) & 1] } else { 0 }
}

/// A segment. When it says both, what it acknowledges is told: that ends a hole.
#[inline(always)]
fn segment(packet: &Packet, flow: &mut Flow, side: usize, now: u32, hole: &mut Hole) {
    if packet.tcp_flags & (tcp::SYN | tcp::RST | tcp::ACK) != tcp::ACK {
        return;
    }
    // Without timestamps no data is stamped, so none is known to be sent again.
    let is_timed = packet.has_timestamps != 0;
    if is_timed {
        sends(packet, flow, side, now, hole);
    }
    acknowledges(packet, flow, side, now, hole);
    if is_timed && packet.tcp_flags & tcp::FIN != 0 {
        finishes(packet, flow, side, now);
    }
}

/// What the segment says by its own sequence number.
#[inline(always)]
fn sends(packet: &Packet, flow: &mut Flow, side: usize, now: u32, hole: &mut Hole) {
    let data = flow.stamp[side & 1];
    let ahead = packet.sequence.wrapping_sub(flow.sequence[side & 1]) as i32;
    let is_data = packet.tcp_payload != 0 && ahead == 0;
    let id = if data.is_hole() { data.id() } else { 0 };
    let (step, times, missing) = if id >= WATCHED && ahead > 0 {
        (Step::Missing, 0, ahead as u32)
    } else if id < FIN && rtt::is_sent_again(flow, side, &Timestamps::of(packet)) {
        (Step::SentAgain, id + 1, 0)
    } else {
        if id >= WATCHED && is_data {
            // Data after the other side's FIN.
            flow.stamp[side & 1] = Stamp::closed(0, data.time());
        }
        return;
    };
    flow.stamp[side & 1] = Stamp::hole(times, packet.wire_length(), data.time());
    let heard = now.wrapping_sub(flow.stamp[(side ^ 1) & 1].time());
    let age = now.wrapping_sub(data.time());
    *hole = Hole { missing, times, age, heard, tunnel: flow.tunnel[side & 1], step: step as u8, is_own: 1 };
}

/// What the segment says of the other side's data.
#[inline(always)]
fn acknowledges(packet: &Packet, flow: &mut Flow, side: usize, now: u32, hole: &mut Hole) {
    let other = (side ^ 1) & 1;
    let (data, tunnel) = (flow.stamp[other], flow.tunnel[other]);
    let gap = packet.sack_left.wrapping_sub(packet.acknowledgment);
    if data.is_hole() {
        if packet.acknowledgment.wrapping_sub(flow.sequence[other]) as i32 <= 0 {
            return;
        }
        flow.stamp[other] = Stamp::closed(packet.tsecr, now);
        let own = flow.stamp[side & 1];
        if own.is_hole() && own.id() >= WATCHED {
            // The FIN for which it was watched is acknowledged.
            flow.stamp[side & 1] = Stamp::closed(0, own.time());
        }
        if data.id() < FIN {
            let (step, age) = (Step::Acknowledged as u8, now.wrapping_sub(data.time()));
            *hole = Hole { times: data.id(), age, tunnel, step, ..Hole::default() };
        }
    } else if packet.sack_left != 0 && gap as i32 > 0 && !data.is_rare() {
        flow.stamp[other] = Stamp::hole(0, 0, now);
        flow.sequence[other] = packet.acknowledgment;
        *hole = Hole { missing: gap, tunnel, step: Step::Missing as u8, ..Hole::default() };
    }
}

/// The segment has a FIN: nothing comes behind it, and what the other side has sent before is acknowledged by now.
#[inline(always)]
fn finishes(packet: &Packet, flow: &mut Flow, side: usize, now: u32) {
    let (own, other) = (side & 1, (side ^ 1) & 1);
    let is_overdue = |stamp: Stamp| stamp.is_closed() && now.wrapping_sub(stamp.time()) > OVERDUE;
    if is_overdue(flow.stamp[other]) && flow.stamp[own].is_closed() && flow.tunnel[other] != UNTRACKED {
        flow.stamp[other] = Stamp::hole(WATCHED, 0, flow.stamp[other].time());
        flow.sequence[other] = packet.acknowledgment;
        flow.stamp[own] = Stamp::hole(FIN, 0, now);
        flow.sequence[own] = packet.sequence.wrapping_add(packet.tcp_payload);
    }
}

/// An echo request or reply.
#[inline(always)]
fn echo(packet: &Packet, flow: &mut Flow, side: usize, now: u32, hole: &mut Hole) {
    match icmp::purpose(packet.inner.protocol, packet.icmp_type) {
        Purpose::Request => request(packet, flow, side, now, hole),
        Purpose::Reply => reply(flow, (side ^ 1) & 1, hole),
        Purpose::Error | Purpose::Other => {}
    }
}

#[inline(always)]
fn request(packet: &Packet, flow: &mut Flow, side: usize, now: u32, hole: &mut Hole) {
    let waiting = flow.stamp[side & 1];
    let age = now.wrapping_sub(waiting.time());
    if waiting.is_hole() && age > UNANSWERED {
        let times = flow.sequence[side & 1] + 1;
        flow.sequence[side & 1] = times;
        let (step, tunnel) = (Step::SentAgain as u8, packet.slot);
        *hole = Hole { times, age, heard: age, tunnel, step, is_own: 1, ..Hole::default() };
    }
}

/// A reply to a request of the side `asker`.
#[inline(always)]
fn reply(flow: &mut Flow, asker: usize, hole: &mut Hole) {
    let times = flow.sequence[asker & 1];
    flow.sequence[asker & 1] = 0;
    if times != 0 {
        let (step, tunnel) = (Step::Acknowledged as u8, flow.tunnel[asker & 1]);
        *hole = Hole { times, tunnel, step, ..Hole::default() };
    }
}
