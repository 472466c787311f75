//! What a parsed packet is in its conversation: a packet whose answer will be awaited, an answer, or both.

use crate::flow::{self, Flow, Inserted, Key};
use crate::packet::Packet;
use crate::report::{self, Match};
use crate::rtt::{self, Sample, Segment};
use crate::tables::Tables;
use crate::wire::icmp::{self, Purpose};
use crate::wire::tcp;

/// Stamps the packet of a tracked tunnel, or finds the packet that it answers.
#[inline(always)]
pub fn round_trip<T: Tables>(packet: &Packet, tables: &mut T, now_ns: u64) {
    let (protocol, slot) = (packet.inner.protocol, packet.slot);
    let is_echo = protocol == icmp::PROTOCOL_V4 || protocol == icmp::PROTOCOL_V6;
    if !(is_echo || protocol == tcp::PROTOCOL) {
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
