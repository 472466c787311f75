//! The short way: packets that are not ours, and the tunnel packets that nearly all of ours are.
//!
//! It either finishes a packet, with exactly the effects of [`crate::packet::parse`] and
//! [`crate::account::account`], or declines it before any effect. It takes IPv4 without options and IPv6 without
//! extension headers, no outer fragment, no Geneve option or a single one of one word, and inside TCP with the
//! timestamps where Linux puts them, or what is only counted. A packet that is not ours leaves after one look at its
//! headers.

use crate::count::{Extent, Share};
use crate::flow::{self, Key};
use crate::frame::Frame;
use crate::packet::{Address, Class};
use crate::report::{self, Match};
use crate::rtt::{self, Segment};
use crate::tables::Tables;
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

/// Observes a packet, or returns `false` when it has to go the long way. `now` is called at most once.
#[inline(always)]
pub fn observe<B: Bytes, T: Tables>(bytes: B, frame: &Frame, tables: &mut T, now: impl Fn() -> u64) -> bool {
    match look(bytes, frame, tables, now) {
        Ok(share) => seen(tables, frame, Class::Geneve, share.packets),
        Err(Exit::NotOurs) => seen(tables, frame, Class::Other, frame.packets()),
        Err(Exit::Declined) => return false,
    }
    true
}

#[inline(always)]
fn seen<T: Tables>(tables: &mut T, frame: &Frame, class: Class, packets: u32) {
    if let Some(totals) = tables.totals(frame.device) {
        totals.seen(frame.direction(), class, packets);
    }
}

#[inline(always)]
fn look<B: Bytes, T: Tables>(bytes: B, frame: &Frame, tables: &mut T, now: impl Fn() -> u64) -> Result<Share, Exit> {
    let outer = outer(bytes, tables)?;
    let (vni, payload) = geneve(bytes, frame, &outer)?;
    let inner = inner(bytes, payload, outer.end)?;
    let tunnel = Tunnel::new(frame.device, vni, outer.source, outer.destination, frame.direction());
    let slot = tunnel::find(tables, &tunnel).ok_or(Exit::Declined)?;
    let found = match inner.segment {
        Some(segment) => round_trip(tables, &outer, &inner, segment, slot as u16, now)?,
        None => None,
    };
    let extent = Extent {
        outer_offset: outer.offset as u32,
        outer_length: outer.length,
        inner_offset: inner.offset as u32,
        inner_length: inner.length,
        headers: inner.headers as u32,
    };
    let share = Share::new(frame, extent);
    if let Some(counters) = tables.counters(slot) {
        counters.traffic_mut(frame.direction()).add(share);
    }
    if let Some(found) = found {
        report::matched(tables, frame, &found);
    }
    Ok(share)
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

/// Ethernet with one tag at most, IP, UDP to a tunnel port.
#[inline(always)]
fn outer<B: Bytes, T: Tables>(bytes: B, tables: &T) -> Result<Outer, Exit> {
    let window = bytes.window::<{ ethernet::LENGTH }>(0).ok_or(Exit::NotOurs)?;
    let (mut offset, mut ethertype) = (ethernet::LENGTH, ethernet::Ethernet(window).ethertype());
    if ethernet::is_tag(ethertype) {
        let window = bytes.window::<{ ethernet::TAG_LENGTH }>(offset).ok_or(Exit::NotOurs)?;
        ethertype = ethernet::Tag(window).ethertype();
        offset += ethernet::TAG_LENGTH;
    }
    let mut outer = match ethertype {
        ethernet::IPV4 => outer_v4(bytes, offset)?,
        ethernet::IPV6 => outer_v6(bytes, offset)?,
        ethernet::DOT1Q | ethernet::DOT1AD => return Err(Exit::Declined),
        _ => return Err(Exit::NotOurs),
    };
    let window = bytes.window::<{ udp::LENGTH }>(outer.udp).ok_or(Exit::NotOurs)?;
    let header = Udp(window);
    if !tables.ports().contains(header.destination_port()) {
        return Err(Exit::NotOurs);
    }
    let room = outer.length.wrapping_sub((outer.udp - outer.offset) as u32);
    if header.length() != room {
        return Err(Exit::Declined);
    }
    outer.end = outer.udp + room as usize;
    Ok(outer)
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
        next if header.version() == 6 && (is_icmp(next) || ipv6::is_extension(next)) => return Err(Exit::Declined),
        _ => return Err(Exit::NotOurs),
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

#[inline(always)]
fn is_icmp(protocol: u8) -> bool {
    protocol == icmp::PROTOCOL_V4 || protocol == icmp::PROTOCOL_V6
}

/// Geneve without options or with a single one of one word; returns the VNI and where the inner frame begins.
#[inline(always)]
fn geneve<B: Bytes>(bytes: B, frame: &Frame, outer: &Outer) -> Result<(u32, usize), Exit> {
    let offset = outer.udp + udp::LENGTH;
    let payload = offset + geneve::LENGTH;
    if payload > outer.end || outer.end > frame.length as usize {
        return Err(Exit::Declined);
    }
    let header = Geneve(bytes.window::<{ geneve::LENGTH }>(offset).ok_or(Exit::Declined)?);
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
    /// Where the innermost payload begins.
    headers: usize,
    segment: Option<TcpSegment>,
}

/// A TCP segment with ACK, and without SYN and RST.
#[derive(Clone, Copy)]
struct TcpSegment {
    source_port: u16,
    destination_port: u16,
    has_payload: bool,
    timestamps: Option<(u32, u32)>,
}

/// Ethernet without tags, IP without options or extension headers, and what follows. `end` is where the inner frame
/// ends.
#[inline(always)]
fn inner<B: Bytes>(bytes: B, offset: usize, end: usize) -> Result<Inner, Exit> {
    let ethernet = ethernet::Ethernet(bytes.window::<{ ethernet::LENGTH }>(offset).ok_or(Exit::Declined)?);
    let offset = offset + ethernet::LENGTH;
    let mut inner = match ethernet.ethertype() {
        ethernet::IPV4 => inner_v4(bytes, offset)?,
        ethernet::IPV6 => inner_v6(bytes, offset)?,
        _ => return Err(Exit::Declined),
    };
    let ip_end = offset + inner.length as usize;
    if inner.transport > ip_end || ip_end > end {
        return Err(Exit::Declined);
    }
    match inner.protocol {
        tcp::PROTOCOL => tcp(bytes, ip_end, &mut inner)?,
        udp::PROTOCOL => {
            inner.headers = inner.transport + udp::LENGTH;
            let header = Udp(bytes.window::<{ udp::LENGTH }>(inner.transport).ok_or(Exit::Declined)?);
            if inner.headers > ip_end || header.destination_port() == bfd::PORT {
                return Err(Exit::Declined);
            }
        }
        protocol if is_icmp(protocol) => return Err(Exit::Declined),
        _ => {}
    }
    Ok(inner)
}

#[inline(always)]
fn inner_v4<B: Bytes>(bytes: B, offset: usize) -> Result<Inner, Exit> {
    let header = ipv4::Ipv4(bytes.window::<{ ipv4::LENGTH }>(offset).ok_or(Exit::Declined)?);
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
        headers: transport,
        segment: None,
    })
}

#[inline(always)]
fn inner_v6<B: Bytes>(bytes: B, offset: usize) -> Result<Inner, Exit> {
    let header = ipv6::Ipv6(bytes.window::<{ ipv6::LENGTH }>(offset).ok_or(Exit::Declined)?);
    if header.version() != 6 || header.payload_length() == 0 || ipv6::is_extension(header.next_header()) {
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
        headers: transport,
        segment: None,
    })
}

#[inline(always)]
fn tcp<B: Bytes>(bytes: B, end: usize, inner: &mut Inner) -> Result<(), Exit> {
    let header = Tcp(bytes.window::<{ tcp::LENGTH }>(inner.transport).ok_or(Exit::Declined)?);
    let length = header.header_length();
    inner.headers = inner.transport + length;
    let flags = header.flags();
    if length < tcp::LENGTH || inner.headers > end || flags & tcp::SYN != 0 {
        return Err(Exit::Declined);
    }
    if flags & (tcp::ACK | tcp::RST) != tcp::ACK {
        return Ok(());
    }
    let timestamps = match length {
        tcp::LENGTH => None,
        _ => Some(linux_timestamps(bytes, inner.transport + tcp::LENGTH, inner.headers)?),
    };
    inner.segment = Some(TcpSegment {
        source_port: header.source_port(),
        destination_port: header.destination_port(),
        has_payload: inner.headers < end,
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
    outer: &Outer,
    inner: &Inner,
    segment: TcpSegment,
    slot: u16,
    now: impl Fn() -> u64,
) -> Result<Option<Match>, Exit> {
    let ends = [(inner.source, segment.source_port), (inner.destination, segment.destination_port)];
    let key = Key::new(tables.seed(), (outer.source, outer.destination), ends, tcp::PROTOCOL);
    let Some(flow) = flow::find(tables, key) else {
        let is_new = segment.has_payload && segment.timestamps.is_some();
        return if is_new { Err(Exit::Declined) } else { Ok(None) };
    };
    if flow.awaits_handshake(key.side) {
        return Err(Exit::Declined);
    }
    let Some((tsval, tsecr)) = segment.timestamps else { return Ok(None) };
    let segment = Segment { tsval, tsecr, has_payload: segment.has_payload };
    let (sample, now_ns) = rtt::timestamp(flow, key.side, segment, slot, now);
    let Some(sample) = sample else { return Ok(None) };
    let is_due = flow.may_report((now_ns >> 23) as u8);
    Ok(Some(Match { sample, is_due, now_ns, protocol: tcp::PROTOCOL, ends }))
}
