//! What a parsed packet is in its conversation: a packet whose answer will be awaited, an answer, or both.

use crate::event::pending::Match;
use crate::flow::{Flow, Inserted, Key};
use crate::packet::Packet;
use crate::report;
use crate::rtt::{self, Identity, Leg, Method, Sample, Timestamps};
use crate::tables::{self, Next, Tables};
use crate::tunnel::Tunnel;
use crate::wire::icmp::{self, Purpose};
use crate::wire::tcp;

/// Stamps the packet of a tracked tunnel, or finds the packet that it answers.
#[inline(always)]
pub fn round_trip<T: Tables>(packet: &Packet, tables: &mut T, now_ns: u64) -> Next {
    let found = look(packet, tables, now_ns);
    let Some(pending) = tables.pending() else { return Next::Done };
    if let Some((found, is_due)) = found {
        pending.sample(&found, is_due);
        return Next::Match;
    }
    report::next(tables)
}

/// Counts the sample that is pending, and sends it when it is due.
#[inline(always)]
pub fn matched<T: Tables>(tables: &mut T) -> Next {
    let Some(pending) = tables.pending() else { return Next::Done };
    let (event, is_due) = (pending.sample, pending.is_due != 0);
    let ticks = (event.rtt_ns / rtt::TICK_NS) as u32;
    let sample = Sample { ticks, method: event.method(), tunnel: event.head.tunnel, length: event.length };
    if let Some(place) = tables::place(tables, sample.tunnel) {
        tables::issue_and_count(tables, place, event.leg(), &sample);
        if !is_due {
            tables.at(place).held_back += 1;
        }
        // A sample without a tunnel is none: another processor has made the entry anew for its own flow.
        if is_due {
            report::sample(tables, &event);
        }
    }
    report::next(tables)
}

#[inline(always)]
fn look<T: Tables>(packet: &Packet, tables: &mut T, now_ns: u64) -> Option<(Match, bool)> {
    let protocol = packet.inner.protocol;
    let is_echo = protocol == icmp::PROTOCOL_V4 || protocol == icmp::PROTOCOL_V6;
    if !(is_echo || protocol == tcp::PROTOCOL) {
        return None;
    }
    let ends = packet.inner_ends();
    let key = Key::of(packet, tables.flow_seed(), Tunnel::of(packet).endpoints());
    let now = rtt::ticks(now_ns);
    let role = role(packet, is_echo)?;
    let is_limited = tables.limits_events();
    let bucket = tables.flows(key.bucket(tables.flow_mask()))?;
    let (flow, inserted) =
        if role.inserts() { bucket.find_or_insert(key, now) } else { (bucket.find(key)?, Inserted::Found) };
    // An entry that was made just now has nothing to match. What stands there is of another processor, which had the
    // entry before and stamps it only now.
    let sample = step(packet, flow, key.side, role, now_ns).filter(|_| inserted == Inserted::Found);
    // Timestamps give a sample a millisecond; a handshake or an echo is one of few, and always worth its event.
    let is_due = sample.is_some_and(|sample| {
        sample.method != Method::Timestamp || flow.may_report((now_ns >> 23) as u8) || !is_limited
    });
    count_insertion(tables, packet.frame.device, inserted);
    let leg = Leg::of_answer(packet.frame.direction());
    Some((Match { sample: sample?, leg, device: packet.frame.device, protocol, ends }, is_due))
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
fn step(packet: &Packet, flow: &mut Flow, side: usize, role: Role, now_ns: u64) -> Option<Sample> {
    let now = rtt::ticks(now_ns);
    let answers = match role {
        Role::Reply => Some(Identity::echo(packet.sequence)),
        Role::SynAck | Role::Data | Role::Segment => Some(Identity::handshake(packet.acknowledgment)),
        Role::Request | Role::Syn => None,
    };
    // Of what matches only the method is kept, and the sample is made at the end: kernels before 6.3 take no program that
    // reads the undefined fields of a `None` from the stack.
    let (waiting, tunnel) = flow.awaited(side ^ 1);
    let mut method = answers.and_then(|identity| rtt::answer(flow, side, identity, now));
    if packet.tcp_payload != 0 {
        // Data may have waited for the application.
        method = None;
    }
    let awaits = match role {
        Role::Request => Some(Identity::echo(packet.sequence)),
        Role::Syn | Role::SynAck => Some(Identity::handshake(packet.sequence.wrapping_add(1))),
        Role::Reply | Role::Data | Role::Segment => None,
    };
    if let Some(identity) = awaits {
        let is_stamped = rtt::wait(flow, side, identity, (packet.slot, packet.wire_length()), now);
        if is_stamped && role == Role::Syn {
            rtt::begin(flow, side, now);
        }
        if is_stamped && role != Role::Request {
            // The answer to a SYN is reported with what both sides have announced.
            flow.sequence[side & 1] = packet.mss.into();
        }
    }
    if packet.has_timestamps != 0 && matches!(role, Role::Data | Role::Segment) {
        let segment = Timestamps::of(packet);
        let sample = rtt::timestamp(flow, side, &segment, packet.slot, || now_ns);
        method = method.or(sample.map(|(sample, _)| sample.method));
    }
    rtt::matched(waiting, tunnel, method?, now)
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
