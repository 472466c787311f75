//! The short way: packets that are not ours, and the tunnel packets that nearly all of ours are.
//!
//! It either finishes a packet, with exactly the effects of [`crate::packet::parse`] and
//! [`crate::account::account`], or declines it before any effect. It takes IPv4 without options and IPv6 without
//! extension headers, no outer fragment, no Geneve option or a single one of one word, and inside UDP, or TCP with the
//! timestamps where Linux puts them. A packet that is not ours leaves after one look at its
//! headers.

use crate::count::Share;
use crate::event::Kind;
use crate::flow::{self, Key};
use crate::frame::Frame;
use crate::packet::{Address, Class};
use crate::report::Match;
use crate::round_trip::count;
use crate::rtt::{self, Leg, Segment};
use crate::tables::{Next, Tables};
use crate::tunnel::{self, Tunnel};
use crate::wire::geneve::{self, Geneve, OptionHeader};
use crate::wire::tcp::{self, Tcp};
use crate::wire::udp::{self, Udp};
use crate::wire::{Bytes, Window, bfd, ethernet, icmp, ipv4, ipv6};

/// Why a packet is not finished as a tunnel packet.
enum Exit {
    /// It is not ours.
    NotOurs,
    /// It has to go the long way.
    Declined,
}

/// What a finished tunnel packet was in its conversation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// No answer.
    Plain,
    /// An answer whose event comes too soon after another one.
    Suppressed,
    /// An answer whose event waits.
    Reported,
}

/// Observes a packet; [`Next::Parse`] says that it was declined. `now` is called at most once.
#[inline(always)]
pub fn observe<B: Bytes, T: Tables>(bytes: B, frame: &Frame, tables: &mut T, now: impl Fn() -> u64) -> Next {
    let (class, packets, role) = match look(bytes, frame, tables, now) {
        Ok(role) => (Class::Geneve, 1, role),
        Err(Exit::NotOurs) => (Class::Other, frame.packets(), Role::Plain),
        Err(Exit::Declined) => return Next::Parse,
    };
    if let Some(totals) = tables.totals(frame.device) {
        totals.seen(frame.direction(), class, packets);
        if role == Role::Suppressed {
            totals.outcome(Kind::Rtt).suppress();
        }
    }
    if role == Role::Reported { Next::Report } else { Next::Done }
}

#[inline(always)]
fn look<B: Bytes, T: Tables>(bytes: B, frame: &Frame, tables: &mut T, now: impl Fn() -> u64) -> Result<Role, Exit> {
    let (outer, header) = outer(bytes, tables)?;
    let (vni, payload) = geneve(bytes, frame, &outer, header)?;
    let inner = inner(bytes, payload, outer.end)?;
    let tunnel = Tunnel::new(frame.device, vni, outer.source, outer.destination, frame.direction());
    let seed = tables.seed();
    let slot = tunnel::find(tables, &tunnel, seed).ok_or(Exit::Declined)?;
    let role = match inner.segment {
        Some(segment) => round_trip(tables, frame, &outer, &inner, (segment, slot as u16, seed), now)?,
        None => Role::Plain,
    };
    let share = Share::whole(frame, outer.length, inner.length, (inner.offset - outer.offset) as u16);
    if let Some(counters) = tables.counters(slot) {
        counters.traffic_mut(frame.direction()).add(share);
    }
    Ok(role)
}

/// The outer headers of a tunnel packet.
struct Outer {
    source: Address,
    destination: Address,
    offset: usize,
    length: u32,
    /// Where the UDP header begins.
    udp: usize,
    /// Where the UDP payload ends.
    end: usize,
}

/// The UDP and the Geneve header, which one check proves.
const BOTH: usize = udp::LENGTH + geneve::LENGTH;

/// Ethernet with one tag at most, IP, UDP to a tunnel port.
#[inline(always)]
fn outer<B: Bytes, T: Tables>(bytes: B, tables: &T) -> Result<(Outer, B::Window<BOTH>), Exit> {
    // With room for a tag: whatever is shorter holds no IP packet either.
    let window = bytes.window::<{ ethernet::LENGTH + ethernet::TAG_LENGTH }>(0).ok_or(Exit::NotOurs)?;
    let header = ethernet::Ethernet(window.part::<0, { ethernet::LENGTH }>());
    let (mut offset, mut ethertype) = (ethernet::LENGTH, header.ethertype());
    if ethernet::is_tag(ethertype) {
        ethertype = ethernet::Tag(window.part::<{ ethernet::LENGTH }, { ethernet::TAG_LENGTH }>()).ethertype();
        offset += ethernet::TAG_LENGTH;
    }
    let mut outer = match ethertype {
        ethernet::IPV4 => outer_v4(bytes, offset)?,
        ethernet::IPV6 => outer_v6(bytes, offset)?,
        ethernet::DOT1Q | ethernet::DOT1AD => return Err(Exit::Declined),
        _ => return Err(Exit::NotOurs),
    };
    let window = bytes.window::<BOTH>(outer.udp).ok_or(Exit::Declined)?;
    let header = Udp(window.part::<0, { udp::LENGTH }>());
    if !tables.ports().contains(header.destination_port()) {
        return Err(Exit::NotOurs);
    }
    let room = outer.length.wrapping_sub((outer.udp - outer.offset) as u32);
    if header.length() != room {
        return Err(Exit::Declined);
    }
    outer.end = outer.udp + room as usize;
    Ok((outer, window))
}

#[inline(always)]
fn outer_v4<B: Bytes>(bytes: B, offset: usize) -> Result<Outer, Exit> {
    let header = ipv4::Ipv4(bytes.window::<{ ipv4::LENGTH }>(offset).ok_or(Exit::NotOurs)?);
    match (header.version_ihl(), header.protocol()) {
        (0x45, udp::PROTOCOL) if !header.is_fragment() => {}
        (0x45, udp::PROTOCOL | icmp::PROTOCOL_V4 | icmp::PROTOCOL_V6) => return Err(Exit::Declined),
        (0x45, _) => return Err(Exit::NotOurs),
        _ => return Err(Exit::Declined),
    }
    Ok(Outer {
        source: Address::v4(header.source()),
        destination: Address::v4(header.destination()),
        offset,
        length: header.total_length(),
        udp: offset + ipv4::LENGTH,
        end: 0,
    })
}

#[inline(always)]
fn outer_v6<B: Bytes>(bytes: B, offset: usize) -> Result<Outer, Exit> {
    let header = ipv6::Ipv6(bytes.window::<{ ipv6::LENGTH }>(offset).ok_or(Exit::NotOurs)?);
    match header.next_header() {
        udp::PROTOCOL if header.version() == 6 => {}
        tcp::PROTOCOL | ESP => return Err(Exit::NotOurs),
        _ => return Err(Exit::Declined),
    }
    Ok(Outer {
        source: Address(header.source()),
        destination: Address(header.destination()),
        offset,
        length: header.payload_length() + ipv6::LENGTH as u32,
        udp: offset + ipv6::LENGTH,
        end: 0,
    })
}

/// Next header of encrypted payload, of which a cluster with IPsec sees little else (RFC 4303).
const ESP: u8 = 50;

/// Geneve without options or with a single one of one word; returns the VNI and where the inner frame begins.
#[inline(always)]
fn geneve<B: Bytes>(bytes: B, frame: &Frame, outer: &Outer, window: B::Window<BOTH>) -> Result<(u32, usize), Exit> {
    let payload = outer.udp + BOTH;
    // A super-frame stands for many packets: it can afford the long way, and its arithmetic costs none of the others.
    if outer.end > frame.length as usize || frame.segment_size != 0 {
        return Err(Exit::Declined);
    }
    let header = Geneve(window.part::<{ udp::LENGTH }, { geneve::LENGTH }>());
    if header.version() != 0 || header.control() || header.protocol() != geneve::ETHERNET {
        return Err(Exit::Declined);
    }
    match header.options_length() {
        0 => Ok((header.vni(), payload)),
        8 => {
            let option = OptionHeader(bytes.window::<{ geneve::OPTION_LENGTH }>(payload).ok_or(Exit::Declined)?);
            if option.length() == 8 { Ok((header.vni(), payload + 8)) } else { Err(Exit::Declined) }
        }
        _ => Err(Exit::Declined),
    }
}

/// The inner headers of a tunnel packet.
struct Inner {
    source: Address,
    destination: Address,
    offset: usize,
    length: u32,
    protocol: u8,
    /// Where the header behind IP begins.
    transport: usize,
    segment: Option<TcpSegment>,
}

/// A TCP segment with ACK, and without SYN and RST.
#[derive(Clone, Copy)]
struct TcpSegment {
    source_port: u16,
    destination_port: u16,
    has_payload: bool,
    sequence: u32,
    acknowledgment: u32,
    timestamps: Option<(u32, u32)>,
}

/// Ethernet without tags, IP without options or extension headers, and what follows. `end` is where the inner frame
/// ends.
#[inline(always)]
fn inner<B: Bytes>(bytes: B, offset: usize, end: usize) -> Result<Inner, Exit> {
    // Ethernet and the shorter IP header, which one check proves.
    let window = bytes.window::<{ ethernet::LENGTH + ipv4::LENGTH }>(offset).ok_or(Exit::Declined)?;
    let offset = offset + ethernet::LENGTH;
    let mut inner = match ethernet::Ethernet(window.part::<0, { ethernet::LENGTH }>()).ethertype() {
        ethernet::IPV4 => inner_v4(window.part::<{ ethernet::LENGTH }, { ipv4::LENGTH }>(), offset)?,
        ethernet::IPV6 => inner_v6(bytes, offset)?,
        _ => return Err(Exit::Declined),
    };
    // Both transports have to end before the inner packet, and it before the outer one: all headers are inside.
    let ip_end = offset + inner.length as usize;
    if ip_end > end {
        return Err(Exit::Declined);
    }
    match inner.protocol {
        tcp::PROTOCOL => tcp(bytes, ip_end, &mut inner)?,
        udp::PROTOCOL => {
            let header = Udp(bytes.window::<{ udp::LENGTH }>(inner.transport).ok_or(Exit::Declined)?);
            if inner.transport + udp::LENGTH > ip_end || header.destination_port() == bfd::PORT {
                return Err(Exit::Declined);
            }
        }
        _ => return Err(Exit::Declined),
    }
    Ok(inner)
}

#[inline(always)]
fn inner_v4<W: Window<{ ipv4::LENGTH }>>(window: W, offset: usize) -> Result<Inner, Exit> {
    let header = ipv4::Ipv4(window);
    if header.version_ihl() != 0x45 || header.is_fragment() {
        return Err(Exit::Declined);
    }
    let transport = offset + ipv4::LENGTH;
    Ok(Inner {
        source: Address::v4(header.source()),
        destination: Address::v4(header.destination()),
        offset,
        length: header.total_length(),
        protocol: header.protocol(),
        transport,
        segment: None,
    })
}

#[inline(always)]
fn inner_v6<B: Bytes>(bytes: B, offset: usize) -> Result<Inner, Exit> {
    let header = ipv6::Ipv6(bytes.window::<{ ipv6::LENGTH }>(offset).ok_or(Exit::Declined)?);
    if header.version() != 6 {
        return Err(Exit::Declined);
    }
    let transport = offset + ipv6::LENGTH;
    Ok(Inner {
        source: Address(header.source()),
        destination: Address(header.destination()),
        offset,
        length: header.payload_length() + ipv6::LENGTH as u32,
        protocol: header.next_header(),
        transport,
        segment: None,
    })
}

#[inline(always)]
fn tcp<B: Bytes>(bytes: B, end: usize, inner: &mut Inner) -> Result<(), Exit> {
    let header = Tcp(bytes.window::<{ tcp::LENGTH }>(inner.transport).ok_or(Exit::Declined)?);
    let length = header.header_length();
    let payload = inner.transport + length;
    let flags = header.flags();
    if length < tcp::LENGTH || payload > end || flags & tcp::SYN != 0 {
        return Err(Exit::Declined);
    }
    if flags & (tcp::ACK | tcp::RST) != tcp::ACK {
        return Ok(());
    }
    let timestamps = match length {
        tcp::LENGTH => None,
        _ => Some(linux_timestamps(bytes, inner.transport + tcp::LENGTH, payload)?),
    };
    inner.segment = Some(TcpSegment {
        source_port: header.source_port(),
        destination_port: header.destination_port(),
        has_payload: payload < end,
        sequence: header.sequence(),
        acknowledgment: header.acknowledgment(),
        timestamps,
    });
    Ok(())
}

/// TSval and TSecr where Linux puts them: behind two NOPs, first of all options.
#[inline(always)]
fn linux_timestamps<B: Bytes>(bytes: B, offset: usize, end: usize) -> Result<(u32, u32), Exit> {
    let window = bytes.window::<12>(offset).ok_or(Exit::Declined)?;
    if offset + 12 > end || window.be32::<0>() != tcp::TIMESTAMP_FIRST {
        return Err(Exit::Declined);
    }
    Ok((window.be32::<4>(), window.be32::<8>()))
}

/// Stamps the segment in its flow, or finds the one that it answers. Declines what only the long way can do: a
/// flow that is new, and an answer to a SYN or SYN-ACK.
#[inline(always)]
fn round_trip<T: Tables>(
    tables: &mut T,
    frame: &Frame,
    outer: &Outer,
    inner: &Inner,
    (segment, slot, seed): (TcpSegment, u16, u64),
    now: impl Fn() -> u64,
) -> Result<Role, Exit> {
    let ends = [(inner.source, segment.source_port), (inner.destination, segment.destination_port)];
    let key = Key::new(seed, (outer.source, outer.destination), ends, tcp::PROTOCOL);
    let Some(flow) = flow::find(tables, key) else {
        let is_new = segment.has_payload && segment.timestamps.is_some();
        return if is_new { Err(Exit::Declined) } else { Ok(Role::Plain) };
    };
    if rtt::awaits_handshake(flow, key.side) {
        return Err(Exit::Declined);
    }
    let Some((tsval, tsecr)) = segment.timestamps else { return Ok(Role::Plain) };
    let TcpSegment { sequence, acknowledgment, has_payload, .. } = segment;
    let segment = Segment { tsval, tsecr, sequence, acknowledgment, has_payload };
    let (sample, now_ns) = rtt::timestamp(flow, key.side, segment, slot, now);
    let Some(sample) = sample else { return Ok(Role::Plain) };
    let is_due = flow.may_report((now_ns >> 23) as u8);
    let leg = Leg::of_answer(frame.direction());
    let found = Match { sample, leg, device: frame.device, protocol: tcp::PROTOCOL, ends };
    count(tables, &found);
    if !is_due {
        return Ok(Role::Suppressed);
    }
    if let Some(pending) = tables.pending() {
        pending.sample_alone(&found, now_ns);
    }
    Ok(Role::Reported)
}
