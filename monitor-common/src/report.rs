//! Events, sent within the limits on rates: about a packet as its last step, about a sample where it is counted.

use crate::event::hole::Hole;
use crate::event::pending::Cause;
use crate::event::{self, Event, Head};
use crate::frame::UNTRACKED;
use crate::packet::{Class, Heading, Packet};
use crate::rtt::TICK_NS;
use crate::tables::{Next, Tables};

/// The step that follows when all that is pending has been counted.
#[inline(always)]
pub(crate) fn next<T: Tables>(tables: &mut T) -> Next {
    let Some(pending) = tables.pending() else { return Next::Done };
    if pending.is_reported_for(Cause::Hole) || pending.is_reported_for(Cause::Handshake) {
        Next::ReportFlow
    } else if pending.is_reported_for(Cause::Packet) {
        Next::Report
    } else {
        Next::Done
    }
}

/// Sends what a packet says about its flow, seen at `now_ns`.
#[inline(always)]
pub fn flow<T: Tables>(packet: &Packet, tables: &mut T, now_ns: u64) -> Next {
    if is_for(tables, Cause::Hole) {
        retransmit(tables, packet, now_ns);
    }
    if is_for(tables, Cause::Handshake) {
        handshake(tables, packet, now_ns);
    }
    if is_for(tables, Cause::Packet) { Next::Report } else { Next::Done }
}

/// Sends what there is to say about a packet itself: a fragment, or an ICMP error.
#[inline(always)]
pub fn report<T: Tables>(packet: &Packet, tables: &mut T, now_ns: u64) {
    if packet.class() == Class::IcmpError || packet.is_too_big_error() {
        icmp_error(tables, packet, now_ns);
    } else {
        fragment(tables, packet, now_ns);
    }
}

/// What is known of a drop besides the packet's bytes.
pub struct Dropped {
    /// The device that drops are counted with.
    pub home: u32,
    /// Index of the device that the packet was at or was to leave by, or 0.
    pub at: u32,
    /// Where in the kernel; 0 when it was refused.
    pub location: u64,
    /// Why, if `has_reason`; of a refused packet the error.
    pub reason: u32,
    /// Whether the kernel has told why.
    pub has_reason: bool,
    /// Whether it was refused before there was a packet.
    pub is_refused: bool,
}

/// Sends a drop of a packet.
#[inline(always)]
pub fn dropped<T: Tables>(packet: &Heading, drop: &Dropped, tables: &mut T, now_ns: u64) {
    let head = Head { at_ns: now_ns, device: drop.home, kind: event::Drop::KIND as u16, tunnel: UNTRACKED };
    send(tables, head, || event::Drop {
        head,
        source: packet.ip.source,
        destination: packet.ip.destination,
        location: drop.location,
        reason: drop.reason,
        length: packet.ip.length,
        vni: packet.vni,
        at: drop.at,
        has_vni: packet.has_vni,
        has_reason: u8::from(drop.has_reason),
        is_refused: u8::from(drop.is_refused),
        reserved: [0; 5],
    });
}

#[inline(always)]
fn is_for<T: Tables>(tables: &mut T, cause: Cause) -> bool {
    tables.pending().is_some_and(|pending| pending.is_reported_for(cause))
}

/// Sends a sample.
#[inline(always)]
pub(crate) fn sample<T: Tables>(tables: &mut T, sample: &event::Rtt) {
    send(tables, sample.head, || *sample);
}

#[inline(always)]
fn fragment<T: Tables>(tables: &mut T, packet: &Packet, now_ns: u64) {
    let outer = &packet.outer;
    let head = head::<event::Fragment>(packet, now_ns);
    send(tables, head, || event::Fragment {
        head,
        source: outer.source,
        destination: outer.destination,
        id: outer.id,
        length: outer.length,
        offset: outer.fragment_offset,
        more: u8::from(outer.more_fragments()),
        direction: packet.frame.direction() as u8,
        payload: outer.length.saturating_sub(outer.header_length()) as u16,
        whole: packet.udp_length,
        content: packet.content(),
        is_double: u8::from(packet.inner.is_fragment()),
        reserved: [0; 3],
    });
}

#[inline(always)]
fn icmp_error<T: Tables>(tables: &mut T, packet: &Packet, now_ns: u64) {
    let quote = &packet.quote;
    let is_inner = packet.class() == Class::Geneve;
    let head = head::<event::IcmpError>(packet, now_ns);
    send(tables, head, || event::IcmpError {
        head,
        reporter: if is_inner { packet.inner.source } else { packet.outer.source },
        source: quote.ip.source,
        destination: quote.ip.destination,
        mtu: packet.icmp_mtu,
        vni: quote.vni,
        quoted: quote.length,
        quoted_length: quote.ip.length,
        inner_source: packet.inner.source,
        inner_destination: packet.inner.destination,
        inner_source_port: packet.inner_source_port,
        inner_destination_port: packet.inner_destination_port,
        inner_protocol: packet.inner.protocol,
        has_flow: u8::from(packet.inner.version != 0 && !is_inner),
        reserved: [0; 2],
        kind: packet.icmp_type,
        code: packet.icmp_code,
        has_vni: quote.has_vni,
        direction: packet.frame.direction() as u8,
        quoted_df: u8::from(quote.ip.dont_fragment()),
        is_inner: u8::from(is_inner),
        reserved_too: [0; 2],
    });
}

#[inline(always)]
fn retransmit<T: Tables>(tables: &mut T, packet: &Packet, now_ns: u64) {
    let hole = tables.pending().map_or_else(Hole::default, |pending| pending.hole);
    let is_own = hole.is_own != 0;
    let kind = event::Retransmit::KIND as u16;
    let head = Head { at_ns: now_ns, device: packet.frame.device, kind, tunnel: hole.tunnel };
    let [from, to] = packet.inner_ends();
    let [(source, source_port), (destination, destination_port)] = if is_own { [from, to] } else { [to, from] };
    send(tables, head, || event::Retransmit {
        head,
        source,
        destination,
        age_ns: u64::from(hole.age) * TICK_NS,
        heard_ns: u64::from(hole.heard) * TICK_NS,
        length: if is_own { packet.wire_length() } else { 0 },
        times: hole.times,
        missing: hole.missing,
        source_port,
        destination_port,
        protocol: packet.inner.protocol,
        step: hole.step,
        direction: packet.frame.direction() as u8 ^ hole.is_own ^ 1,
        reserved: [0; 5],
    });
}

#[inline(always)]
fn handshake<T: Tables>(tables: &mut T, packet: &Packet, now_ns: u64) {
    let head = head::<event::Handshake>(packet, now_ns);
    let destination_mss = tables.pending().map_or(0, |pending| pending.mss);
    send(tables, head, || event::Handshake {
        head,
        source: packet.inner.source,
        destination: packet.inner.destination,
        source_port: packet.inner_source_port,
        destination_port: packet.inner_destination_port,
        source_mss: packet.mss,
        destination_mss,
        overhead: packet.overhead(),
        direction: packet.frame.direction() as u8,
        reserved: [0; 5],
    });
}

#[inline(always)]
fn head<E: Event>(packet: &Packet, now_ns: u64) -> Head {
    Head { at_ns: now_ns, device: packet.frame.device, kind: E::KIND as u16, tunnel: packet.slot }
}

#[inline(always)]
fn send<T: Tables, E: Event>(tables: &mut T, head: Head, make: impl FnOnce() -> E) {
    let is_limited = tables.limits_events();
    if !tables.totals(head.device).is_some_and(|totals| totals.outcome(E::KIND).admit(head.at_ns, is_limited)) {
        return;
    }
    let was_taken = tables.emit(make);
    if let Some(totals) = tables.totals(head.device) {
        totals.outcome(E::KIND).offered(was_taken);
    }
}
