//! Events, sent within the limits on rates: about a packet as its last step, about a sample where it is counted.

use crate::event::{self, Event, Head};
use crate::packet::{Class, Packet};
use crate::tables::Tables;

/// Sends what there is to say about a packet that was seen at `now_ns`.
#[inline(always)]
pub fn report<T: Tables>(packet: &Packet, tables: &mut T, now_ns: u64) {
    if packet.class() == Class::IcmpError {
        icmp_error(tables, packet, now_ns);
    } else {
        fragment(tables, packet, now_ns);
    }
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
        reserved: 0,
    });
}

#[inline(always)]
fn icmp_error<T: Tables>(tables: &mut T, packet: &Packet, now_ns: u64) {
    let quote = &packet.quote;
    let head = head::<event::IcmpError>(packet, now_ns);
    send(tables, head, || event::IcmpError {
        head,
        reporter: packet.outer.source,
        source: quote.ip.source,
        destination: quote.ip.destination,
        mtu: packet.icmp_mtu,
        vni: quote.vni,
        quoted: quote.length,
        quoted_length: quote.ip.length,
        kind: packet.icmp_type,
        code: packet.icmp_code,
        has_vni: quote.has_vni,
        direction: packet.frame.direction() as u8,
        quoted_df: u8::from(quote.ip.dont_fragment()),
        reserved: [0; 3],
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
