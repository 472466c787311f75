//! What a parsed packet amounts to: its class is counted, its tunnel, its fragments, its round trips.

use crate::count::{Extent, Share};
use crate::flow::{self, Flow, Inserted, Key};
use crate::fragment::{self, Owner};
use crate::packet::{Class, Packet};
use crate::report::{self, Match};
use crate::rtt::{self, Sample, Segment};
use crate::tables::Tables;
use crate::tunnel::{self, Tunnel, UNTRACKED};
use crate::wire::icmp::{self, Purpose};
use crate::wire::{tcp, udp};

/// Accounts for a packet that was seen at `now_ns` (nanoseconds since boot).
#[inline(always)]
pub fn account<T: Tables>(packet: &Packet, tables: &mut T, now_ns: u64) {
    let class = match packet.class() {
        Class::Fragment => later_fragment(packet, tables, now_ns),
        Class::IcmpError => {
            report::icmp_error(tables, packet, now_ns);
            Class::IcmpError
        }
        class @ (Class::Other | Class::Geneve | Class::Control | Class::Opaque | Class::Malformed) => {
            let slot = if class == Class::Geneve { geneve(packet, tables, now_ns) } else { UNTRACKED };
            if packet.outer.more_fragments() && packet.outer.protocol == udp::PROTOCOL {
                first_fragment(packet, tables, slot, now_ns);
            }
            class
        }
    };
    let packets = if class == Class::Geneve { share(packet).packets } else { packet.frame.packets() };
    if let Some(totals) = tables.totals(packet.frame.device) {
        totals.seen(packet.frame.direction(), class, packets);
        if let Some(reason) = packet.malformed() {
            totals.rejected(reason, packets);
        }
    }
}

/// A tunnel packet; returns the slot of its tunnel.
#[inline(always)]
fn geneve<T: Tables>(packet: &Packet, tables: &mut T, now_ns: u64) -> u16 {
    let (frame, outer) = (&packet.frame, &packet.outer);
    let tunnel = Tunnel::new(frame.device, packet.vni, outer.source, outer.destination, frame.direction());
    let slot = if packet.has_geneve() { tunnel::find_or_claim(tables, &tunnel) } else { None };
    let share = share(packet);
    let Some(slot) = slot else {
        if let Some(totals) = tables.totals(frame.device) {
            totals.untracked(frame.direction(), share);
        }
        return UNTRACKED;
    };
    if let Some(counters) = tables.counters(slot) {
        let traffic = counters.traffic_mut(frame.direction());
        traffic.add(share);
        traffic.inner_fragments += u64::from(packet.inner.is_fragment());
    }
    round_trip(packet, tables, slot as u16, now_ns);
    slot as u16
}

#[inline(always)]
fn share(packet: &Packet) -> Share {
    let headers = if packet.inner_payload != 0 { packet.inner_payload } else { packet.inner.payload };
    let extent = Extent {
        outer_offset: u32::from(packet.outer.offset),
        outer_length: packet.outer.length,
        inner_offset: u32::from(packet.inner.offset),
        inner_length: packet.inner.length,
        headers: u32::from(headers),
    };
    Share::new(&packet.frame, extent)
}

#[inline(always)]
fn first_fragment<T: Tables>(packet: &Packet, tables: &mut T, slot: u16, now_ns: u64) {
    let is_ours = packet.class() != Class::Other;
    fragment::remember(tables, &packet.outer, is_ours.then_some(slot), now_ns);
    if is_ours {
        count_fragment(packet, tables, slot);
        report::fragment(tables, packet, slot, now_ns);
    }
}

/// A later outer fragment; returns its class.
#[inline(always)]
fn later_fragment<T: Tables>(packet: &Packet, tables: &mut T, now_ns: u64) -> Class {
    let owner = fragment::recall(tables, &packet.outer, now_ns);
    if owner == Owner::NotOurs {
        return Class::Other;
    }
    if let Some(totals) = tables.totals(packet.frame.device) {
        match owner {
            Owner::Tunnel(_) => totals.attributed += 1,
            Owner::NotOurs | Owner::Unknown => totals.orphans += 1,
        }
    }
    match owner {
        Owner::Tunnel(slot) => count_fragment(packet, tables, slot),
        Owner::NotOurs | Owner::Unknown => report::fragment(tables, packet, UNTRACKED, now_ns),
    }
    Class::Fragment
}

#[inline(always)]
fn count_fragment<T: Tables>(packet: &Packet, tables: &mut T, slot: u16) {
    if slot == UNTRACKED {
        return;
    }
    if let Some(counters) = tables.counters(u32::from(slot)) {
        counters.traffic_mut(packet.frame.direction()).outer_fragments += 1;
    }
}

/// Stamps the packet, or finds the packet that it answers.
#[inline(always)]
fn round_trip<T: Tables>(packet: &Packet, tables: &mut T, slot: u16, now_ns: u64) {
    let protocol = packet.inner.protocol;
    let is_echo = protocol == icmp::PROTOCOL_V4 || protocol == icmp::PROTOCOL_V6;
    if packet.inner_payload == 0 || !(is_echo || protocol == tcp::PROTOCOL) {
        return;
    }
    let ends =
        [(packet.inner.source, packet.inner_source_port), (packet.inner.destination, packet.inner_destination_port)];
    let key = Key::new(tables.seed(), (packet.outer.source, packet.outer.destination), ends, protocol);
    let now = rtt::ticks(now_ns);
    let Some(role) = role(packet, is_echo) else { return };
    let found = if role.inserts() {
        flow::find_or_insert(tables, key, now)
    } else {
        flow::find(tables, key).map(|flow| (flow, Inserted::Found))
    };
    let Some((flow, inserted)) = found else { return };
    let sample = step(packet, flow, key.side, inserted, role, slot, now_ns);
    let is_due = sample.is_some() && flow.may_report((now_ns >> 23) as u8);
    count_insertion(tables, packet.frame.device, inserted);
    if let Some(sample) = sample {
        report::matched(tables, &packet.frame, &Match { sample, is_due, now_ns, protocol, ends });
    }
}

/// What a packet can do in its flow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Request,
    Reply,
    Syn,
    SynAck,
    /// A segment with payload and timestamps.
    Data,
    /// Any other segment.
    Segment,
}

impl Role {
    /// Says whether the packet makes its flow an entry.
    #[inline(always)]
    fn inserts(self) -> bool {
        matches!(self, Self::Request | Self::Syn | Self::SynAck | Self::Data)
    }
}

#[inline(always)]
fn role(packet: &Packet, is_echo: bool) -> Option<Role> {
    if is_echo {
        return match icmp::purpose(packet.inner.protocol, packet.icmp_type) {
            Purpose::Request => Some(Role::Request),
            Purpose::Reply => Some(Role::Reply),
            Purpose::Error | Purpose::Other => None,
        };
    }
    match packet.tcp_flags & (tcp::SYN | tcp::ACK | tcp::RST) {
        tcp::SYN => Some(Role::Syn),
        flags if flags == tcp::SYN | tcp::ACK => Some(Role::SynAck),
        tcp::ACK if packet.has_timestamps != 0 && packet.tcp_payload != 0 => Some(Role::Data),
        tcp::ACK => Some(Role::Segment),
        _ => None,
    }
}

#[inline(always)]
fn step(
    packet: &Packet,
    flow: &mut Flow,
    side: usize,
    inserted: Inserted,
    role: Role,
    slot: u16,
    now_ns: u64,
) -> Option<Sample> {
    let now = rtt::ticks(now_ns);
    match role {
        Role::Request => {
            rtt::request(flow, side, packet.sequence, slot, now);
            None
        }
        Role::Reply => rtt::reply(flow, side, packet.sequence, now),
        Role::Syn | Role::SynAck => {
            let answers = role == Role::SynAck;
            let sample = if answers { rtt::handshake(flow, side, packet.acknowledgment, false, now) } else { None };
            rtt::syn(flow, side, packet.sequence.wrapping_add(1), !answers, slot, now);
            rtt::note_tsval(flow, side, packet.tsval);
            sample
        }
        Role::Data | Role::Segment => segment(packet, flow, side, inserted, slot, now_ns),
    }
}

#[inline(always)]
fn segment(
    packet: &Packet,
    flow: &mut Flow,
    side: usize,
    inserted: Inserted,
    slot: u16,
    now_ns: u64,
) -> Option<Sample> {
    let has_payload = packet.tcp_payload != 0;
    let handshake = rtt::handshake(flow, side, packet.acknowledgment, has_payload, rtt::ticks(now_ns));
    if packet.has_timestamps == 0 {
        return handshake;
    }
    if inserted != Inserted::Found {
        // Whether this is the first packet with its TSval cannot be known: the next TSval is the first to be stamped.
        rtt::note_tsval(flow, side, packet.tsval);
        rtt::note_tsval(flow, side ^ 1, packet.tsecr);
        return None;
    }
    let segment = Segment { tsval: packet.tsval, tsecr: packet.tsecr, has_payload };
    let (timestamp, _) = rtt::timestamp(flow, side, segment, slot, || now_ns);
    handshake.or(timestamp)
}

#[inline(always)]
fn count_insertion<T: Tables>(tables: &mut T, device: u32, inserted: Inserted) {
    if inserted == Inserted::Found {
        return;
    }
    if let Some(totals) = tables.totals(device) {
        match inserted {
            Inserted::Found => {}
            Inserted::Free => totals.flows_inserted += 1,
            Inserted::Evicted => totals.flows_evicted += 1,
        }
    }
}
