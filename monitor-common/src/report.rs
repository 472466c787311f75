//! Events about a packet, sent as its last step. What there is to send waits in [`Pending`], so that the steps
//! before stay small and a packet without events does not pay for them.

use crate::event::pending::Pending;
use crate::event::{self, Event, Head};
use crate::packet::{Class, Packet};
use crate::tables::Tables;

/// Sends what is pending; `packet` is the parsed packet, when it was the packet that is to be reported.
#[inline(always)]
pub fn report<T: Tables>(pending: &Pending, packet: &Packet, tables: &mut T) {
    if pending.has_packet != 0 {
        if packet.class() == Class::IcmpError {
            icmp_error(tables, packet, pending.now_ns);
        } else {
            fragment(tables, packet, pending.now_ns);
        }
    }
    if pending.has_sample != 0 {
        send(tables, (pending.device, pending.tunnel, pending.now_ns), |head| event::Rtt {
            head,
            rtt_ns: pending.rtt_ns,
            source: pending.source,
            destination: pending.destination,
            source_port: pending.source_port,
            destination_port: pending.destination_port,
            protocol: pending.protocol,
            leg: pending.leg,
            method: pending.method,
            reserved: 0,
        });
    }
}

#[inline(always)]
fn fragment<T: Tables>(tables: &mut T, packet: &Packet, now_ns: u64) {
    let outer = &packet.outer;
    send(tables, (packet.frame.device, packet.slot, now_ns), |head| event::Fragment {
        head,
        source: outer.source,
        destination: outer.destination,
        id: outer.id,
        length: outer.length,
        offset: outer.fragment_offset,
        more: u8::from(outer.more_fragments()),
        direction: packet.frame.direction() as u8,
        reserved: 0,
    });
}

#[inline(always)]
fn icmp_error<T: Tables>(tables: &mut T, packet: &Packet, now_ns: u64) {
    let quote = &packet.quote;
    send(tables, (packet.frame.device, packet.slot, now_ns), |head| event::IcmpError {
        head,
        reporter: packet.outer.source,
        source: quote.ip.source,
        destination: quote.ip.destination,
        mtu: packet.icmp_mtu,
        vni: quote.vni,
        quoted: quote.length,
        kind: packet.icmp_type,
        code: packet.icmp_code,
        has_vni: quote.has_vni,
        direction: packet.frame.direction() as u8,
    });
}

#[inline(always)]
fn send<T: Tables, E: Event>(tables: &mut T, (device, tunnel, now_ns): (u32, u16, u64), make: impl FnOnce(Head) -> E) {
    let is_limited = tables.limits_events();
    if !tables.totals(device).is_some_and(|totals| totals.outcome(E::KIND).admit(now_ns, is_limited)) {
        return;
    }
    let head = Head { at_ns: now_ns, device, kind: E::KIND as u16, tunnel };
    let was_taken = tables.emit(|| make(head));
    if let Some(totals) = tables.totals(device) {
        totals.outcome(E::KIND).offered(was_taken);
    }
}
