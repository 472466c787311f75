//! What a parsed packet amounts to: its class is counted, its tunnel, its fragments.

use crate::count::{Extent, Share};
use crate::event::pending::Cause;
use crate::fragment::{Datagram, Owner};
use crate::frame::UNTRACKED;
use crate::packet::{Class, Packet};
use crate::tables::{self, Next, Tables};
use crate::tunnel::Tunnel;
use crate::wire::udp;

/// Accounts for a packet that was seen at `now_ns` (nanoseconds since boot).
#[inline(always)]
pub fn account<T: Tables>(packet: &mut Packet, tables: &mut T, now_ns: u64) -> Next {
    let mut class = packet.class();
    let mut is_reported = class == Class::IcmpError;
    if class == Class::Geneve {
        geneve(packet, tables);
        is_reported = packet.is_too_big_error();
    }
    if class == Class::Fragment {
        (class, is_reported) = later_fragment(packet, tables, now_ns);
    } else if packet.outer.more_fragments() && packet.outer.protocol == udp::PROTOCOL {
        is_reported |= first_fragment(packet, tables, now_ns);
    }
    // Those of class `geneve` have been counted in their tunnel, or as untracked.
    if class != Class::Geneve
        && let Some(totals) = tables.totals(packet.frame.device)
    {
        totals.seen(packet.frame.direction(), class, packet.frame.packets());
        if let Some(reason) = packet.malformed_index() {
            totals.rejected(reason, packet.frame.packets());
        }
    }
    next(packet, tables, is_reported, now_ns)
}

#[inline(always)]
fn next<T: Tables>(packet: &Packet, tables: &mut T, is_reported: bool, now_ns: u64) -> Next {
    if let Some(pending) = tables.pending() {
        pending.begin(now_ns);
        if is_reported {
            pending.report(Cause::Packet);
        }
    }
    if packet.class() == Class::Geneve && packet.slot != UNTRACKED && packet.inner_payload != 0 {
        Next::Loss
    } else if is_reported {
        Next::Report
    } else {
        Next::Done
    }
}

/// A tunnel packet: counts it, and notes the tunnel's slot.
#[inline(always)]
fn geneve<T: Tables>(packet: &mut Packet, tables: &mut T) {
    let (frame, share) = (packet.frame, share(packet));
    let place = if packet.has_geneve() { tables::find_or_claim(tables, &Tunnel::of(packet)) } else { None };
    let Some((slot, place)) = place else {
        if let Some(totals) = tables.totals(frame.device) {
            totals.untracked(frame.direction(), share);
        }
        return;
    };
    packet.slot = slot;
    let traffic = tables.at(place).traffic_mut(frame.direction());
    traffic.add(share);
    traffic.inner_fragments += u64::from(packet.inner.is_fragment());
    if packet.outer.version == 4 && !packet.outer.dont_fragment() {
        traffic.outer_df_clear += u64::from(share.packets);
    }
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

/// Remembers a first outer fragment; says whether it is reported.
#[inline(always)]
fn first_fragment<T: Tables>(packet: &Packet, tables: &mut T, now_ns: u64) -> bool {
    let is_ours = packet.class() != Class::Other;
    let datagram = Datagram::new(tables.seed(), &packet.outer);
    if let Some(word) = tables.fragment(datagram.index()) {
        *word = datagram.word(if is_ours { Some(packet.slot) } else { None }, now_ns);
    }
    if is_ours {
        count_fragment(packet, tables);
    }
    is_ours
}

/// A later outer fragment; returns its class, and whether it is reported: user space puts the pieces of datagrams
/// together. Of an attributed one it notes the slot.
#[inline(always)]
fn later_fragment<T: Tables>(packet: &mut Packet, tables: &mut T, now_ns: u64) -> (Class, bool) {
    let datagram = Datagram::new(tables.seed(), &packet.outer);
    let word = tables.fragment(datagram.index()).map_or(0, |word| *word);
    let owner = datagram.owner(word, now_ns);
    if owner == Owner::NotOurs {
        return (Class::Other, false);
    }
    if let Owner::Tunnel(slot) = owner {
        packet.slot = slot;
        count_fragment(packet, tables);
    }
    let is_orphan = owner == Owner::Unknown;
    if let Some(totals) = tables.totals(packet.frame.device) {
        totals.orphans += u64::from(is_orphan);
        totals.attributed += u64::from(!is_orphan);
    }
    (Class::Fragment, true)
}

#[inline(always)]
fn count_fragment<T: Tables>(packet: &Packet, tables: &mut T) {
    if packet.slot == UNTRACKED {
        return;
    }
    if let Some(place) = tables::place(tables, packet.slot) {
        tables.at(place).traffic_mut(packet.frame.direction()).outer_fragments += 1;
    }
}
