//! Events about a packet, sent as its last step. What there is to send waits in [`Pending`], so that the steps before
//! stay small and a packet without events does not pay for them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::event::{self, Event, Head};
use crate::packet::{Address, Class, Packet};
use crate::rtt::{Leg, Sample};
use crate::tables::Tables;

/// What a packet is to report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Pending {
    now_ns: u64,
    rtt_ns: u64,
    source: Address,
    destination: Address,
    source_port: u16,
    destination_port: u16,
    device: u32,
    tunnel: u16,
    protocol: u8,
    leg: u8,
    method: u8,
    has_sample: u8,
    has_packet: u8,
    reserved: u8,
}

/// A sample, with its answer.
pub(crate) struct Match {
    pub(crate) sample: Sample,
    pub(crate) leg: Leg,
    pub(crate) device: u32,
    pub(crate) protocol: u8,
    /// Source and destination of the answer.
    pub(crate) ends: [(Address, u16); 2],
}

impl Pending {
    /// Empties it.
    #[inline(always)]
    pub(crate) fn begin(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        self.has_sample = 0;
        self.has_packet = 0;
    }

    /// Says whether there is anything to send.
    #[inline(always)]
    pub(crate) fn is_waiting(&self) -> bool {
        self.has_sample | self.has_packet != 0
    }

    /// The packet itself is to be reported: a fragment, or an ICMP error.
    #[inline(always)]
    pub(crate) fn packet(&mut self) {
        self.has_packet = 1;
    }

    /// A sample is to be reported, and nothing else.
    #[inline(always)]
    pub(crate) fn sample_alone(&mut self, found: &Match, now_ns: u64) {
        self.now_ns = now_ns;
        self.has_packet = 0;
        self.sample(found);
    }

    /// A sample is to be reported.
    #[inline(always)]
    pub(crate) fn sample(&mut self, found: &Match) {
        let [(answerer, answerer_port), (asker, asker_port)] = found.ends;
        self.rtt_ns = found.sample.rtt_ns;
        self.source = asker;
        self.destination = answerer;
        self.source_port = asker_port;
        self.destination_port = answerer_port;
        self.device = found.device;
        self.tunnel = found.sample.tunnel;
        self.protocol = found.protocol;
        self.leg = found.leg as u8;
        self.method = found.sample.method as u8;
        self.has_sample = 1;
    }
}

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
    if !tables.totals(device).is_some_and(|totals| totals.outcome(E::KIND).admit(now_ns)) {
        return;
    }
    let head = Head { at_ns: now_ns, device, kind: E::KIND as u16, tunnel };
    let was_taken = tables.emit(|| make(head));
    if let Some(totals) = tables.totals(device) {
        totals.outcome(E::KIND).offered(was_taken);
    }
}
