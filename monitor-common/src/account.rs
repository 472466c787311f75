//! What a parsed packet amounts to: its class is counted, its tunnel, its fragments.

use crate::count::{Extent, Share};
use crate::fragment::{self, Owner};
use crate::frame::UNTRACKED;
use crate::packet::{Class, Packet};
use crate::report;
use crate::tables::Tables;
use crate::tunnel::{self, Tunnel};
use crate::wire::udp;

/// Accounts for a packet that was seen at `now_ns` (nanoseconds since boot). Returns whether [`round_trip`] has
/// something to do.
#[inline(always)]
pub fn account<T: Tables>(packet: &mut Packet, tables: &mut T, now_ns: u64) -> bool {
    let mut packets = packet.frame.packets();
    let class = match packet.class() {
        Class::Fragment => later_fragment(packet, tables, now_ns),
        class @ (Class::Other
        | Class::Geneve
        | Class::Control
        | Class::Opaque
        | Class::Malformed
        | Class::IcmpError) => {
            if class == Class::Geneve {
                packets = geneve(packet, tables);
            }
            if packet.outer.more_fragments() && packet.outer.protocol == udp::PROTOCOL {
                first_fragment(packet, tables, now_ns);
            }
            class
        }
    };
    if class == Class::IcmpError {
        report::icmp_error(tables, packet, now_ns);
    }
    if let Some(totals) = tables.totals(packet.frame.device) {
        totals.seen(packet.frame.direction(), class, packets);
        if let Some(reason) = packet.malformed_index() {
            totals.rejected(reason, packets);
        }
    }
    packet.slot != UNTRACKED && packet.inner_payload != 0
}

/// A tunnel packet; returns the number of wire packets, and notes the tunnel's slot.
#[inline(always)]
fn geneve<T: Tables>(packet: &mut Packet, tables: &mut T) -> u32 {
    let (frame, outer) = (packet.frame, &packet.outer);
    let tunnel = Tunnel::new(frame.device, packet.vni, outer.source, outer.destination, frame.direction());
    let slot = if packet.has_geneve() { tunnel::find_or_claim(tables, &tunnel) } else { None };
    let share = share(packet);
    let Some(slot) = slot else {
        if let Some(totals) = tables.totals(frame.device) {
            totals.untracked(frame.direction(), share);
        }
        return share.packets;
    };
    packet.slot = slot as u16;
    if let Some(counters) = tables.counters(slot) {
        let traffic = counters.traffic_mut(frame.direction());
        traffic.add(share);
        traffic.inner_fragments += u64::from(packet.inner.is_fragment());
    }
    share.packets
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
fn first_fragment<T: Tables>(packet: &Packet, tables: &mut T, now_ns: u64) {
    let slot = packet.slot;
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
