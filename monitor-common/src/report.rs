//! Counts what a packet amounted to, and sends the events about it.

use crate::event::{self, Event, Head, Kind};
use crate::frame::Frame;
use crate::frame::UNTRACKED;
use crate::packet::{Address, Packet};
use crate::rtt::{Leg, Sample};
use crate::tables::Tables;

/// A sample with what its event needs.
pub(crate) struct Match {
    pub(crate) sample: Sample,
    /// Says whether its flow sent no event a moment ago.
    pub(crate) is_due: bool,
    pub(crate) now_ns: u64,
    pub(crate) protocol: u8,
    /// Source and destination of the answer.
    pub(crate) ends: [(Address, u16); 2],
}

/// Counts a sample in its tunnel and reports it.
#[inline(always)]
pub(crate) fn matched<T: Tables>(tables: &mut T, frame: &Frame, found: &Match) {
    let leg = Leg::of_answer(frame.direction());
    if let Some(counters) = tables.counters(u32::from(found.sample.tunnel)) {
        counters.matched(leg, &found.sample);
    }
    if !found.is_due {
        if let Some(totals) = tables.totals(frame.device) {
            totals.outcome(Kind::Rtt).suppress();
        }
        return;
    }
    let [(answerer, answerer_port), (asker, asker_port)] = found.ends;
    send(tables, frame, found.sample.tunnel, found.now_ns, |head| event::Rtt {
        head,
        rtt_ns: found.sample.rtt_ns,
        source: asker,
        destination: answerer,
        source_port: asker_port,
        destination_port: answerer_port,
        protocol: found.protocol,
        leg: leg as u8,
        method: found.sample.method as u8,
        reserved: 0,
    });
}

/// Reports an outer fragment of the tunnel in `slot`.
#[inline(always)]
pub(crate) fn fragment<T: Tables>(tables: &mut T, packet: &Packet, slot: u16, now_ns: u64) {
    let outer = &packet.outer;
    send(tables, &packet.frame, slot, now_ns, |head| event::Fragment {
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

/// Reports an ICMP error about a tunnel packet.
#[inline(always)]
pub(crate) fn icmp_error<T: Tables>(tables: &mut T, packet: &Packet, now_ns: u64) {
    let quote = &packet.quote;
    send(tables, &packet.frame, UNTRACKED, now_ns, |head| event::IcmpError {
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
fn send<T: Tables, E: Event>(tables: &mut T, frame: &Frame, tunnel: u16, now_ns: u64, make: impl FnOnce(Head) -> E) {
    if !tables.totals(frame.device).is_some_and(|totals| totals.outcome(E::KIND).admit(now_ns)) {
        return;
    }
    let head = Head { at_ns: now_ns, device: frame.device, kind: E::KIND as u16, tunnel };
    let was_taken = tables.emit(|| make(head));
    if let Some(totals) = tables.totals(frame.device) {
        totals.outcome(E::KIND).offered(was_taken);
    }
}
