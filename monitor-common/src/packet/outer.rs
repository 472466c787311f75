//! The underlay packet: Ethernet, tags, IP, UDP, Geneve with its options; where its payload stands.
//!
//! Whatever stops the parse before the destination port is known makes the packet [`Class::Other`]: it may be
//! anybody's. From there on it is ours, and a fault makes it malformed.

use super::stop::{Fault, Header, Layer};
use super::{Cause, Class, Malformed, Packet, ip, quote};
use crate::wire::geneve::Ports;
use crate::wire::{Bytes, Window, ethernet, geneve, icmp, udp};

/// A tunnel packet that no endpoint may accept: why, and where.
type Rejected = (Malformed, Fault);

#[inline(always)]
pub(super) fn parse<B: Bytes>(bytes: B, ports: Ports, packet: &mut Packet) {
    if let Err(fault) = network(bytes, packet) {
        stop(packet, Layer::Outer, fault);
        return;
    }
    match packet.outer.protocol {
        udp::PROTOCOL if packet.outer.is_later_fragment() => packet.set_class(Class::Fragment),
        udp::PROTOCOL => transport(bytes, ports, packet),
        icmp::PROTOCOL_V4 | icmp::PROTOCOL_V6 if !packet.outer.is_later_fragment() => {
            quote::outer_error(bytes, ports, packet);
        }
        _ => {}
    }
}

/// Ethernet, its tags, and IP when there is some.
#[inline(always)]
fn network<B: Bytes>(bytes: B, packet: &mut Packet) -> Result<(), Fault> {
    let window = bytes.window::<{ ethernet::LENGTH }>(0).ok_or(Fault::missing(Header::Ethernet, ethernet::LENGTH))?;
    if packet.frame.tag != 0 {
        packet.tags[0] = packet.frame.tag as u16;
        packet.tag_count = 1;
    }
    let ethertype = ethernet::Ethernet(window).ethertype();
    let (offset, ethertype) = tags(bytes, ethernet::LENGTH, ethertype, &mut packet.tags, &mut packet.tag_count)?;
    if ethertype == ethernet::IPV4 || ethertype == ethernet::IPV6 {
        ip::parse(bytes, bytes.settle(offset), ethertype, packet.frame.length, &mut packet.outer)?;
    }
    Ok(())
}

/// Skips up to two tags in all; returns where they end, and the ethertype behind them.
#[inline(always)]
pub(super) fn tags<B: Bytes>(
    bytes: B,
    mut offset: usize,
    mut ethertype: u16,
    controls: &mut [u16; 2],
    count: &mut u8,
) -> Result<(usize, u16), Fault> {
    for _ in 0..2 {
        if *count == 2 || !ethernet::is_tag(ethertype) {
            break;
        }
        let end = offset + ethernet::TAG_LENGTH;
        let window = bytes.window::<{ ethernet::TAG_LENGTH }>(offset).ok_or(Fault::missing(Header::Vlan, end))?;
        let tag = ethernet::Tag(window);
        let control = if *count == 0 { &mut controls[0] } else { &mut controls[1] };
        *control = tag.control();
        *count += 1;
        ethertype = tag.ethertype();
        offset = end;
    }
    Ok((offset, ethertype))
}

#[inline(always)]
fn transport<B: Bytes>(bytes: B, ports: Ports, packet: &mut Packet) {
    let offset = bytes.settle(packet.outer.payload as usize);
    let Some(window) = bytes.window::<{ udp::LENGTH }>(offset) else {
        stop(packet, Layer::Outer, Fault::missing(Header::Udp, offset + udp::LENGTH));
        return;
    };
    let header = udp::Udp(window);
    packet.source_port = header.source_port();
    packet.destination_port = header.destination_port();
    packet.udp_checksum = header.checksum();
    packet.udp_length = header.length() as u16;
    if !is_tunnel(ports, packet.destination_port) {
        return;
    }
    packet.set_class(Class::Geneve);
    if let Err((reason, fault)) = tunnel(bytes, offset, header.length(), packet) {
        reject(packet, reason, Layer::Outer, fault);
    }
}

/// Says whether a tunnel ends at `port`. Out of line: the port is the packet's, or that of a quoted one.
#[inline(never)]
pub(super) fn is_tunnel(ports: Ports, port: u16) -> bool {
    ports.contains(port)
}

/// Notes where the parse of a tunnel packet stopped. A header that was not captured, or an inner one that a later
/// fragment holds, is not the packet's fault; anything else makes it malformed.
#[inline(always)]
pub(super) fn reject(packet: &mut Packet, reason: Malformed, layer: Layer, fault: Fault) {
    let cause = stop(packet, layer, fault);
    let is_fatal = match cause {
        Cause::Truncated | Cause::Invalid => true,
        Cause::NotInFragment => reason != Malformed::Inner,
        Cause::TooDeep | Cause::NotCaptured => false,
    };
    if is_fatal {
        packet.set_malformed(reason);
    }
}

/// Notes where the parse stopped, and returns why. Out of line: it can stop in many places.
#[inline(never)]
pub(super) fn stop(packet: &mut Packet, layer: Layer, fault: Fault) -> Cause {
    let mut stop = fault.stop(layer, &packet.frame);
    if packet.outer.more_fragments() && stop.cause == Cause::Truncated {
        stop.cause = Cause::NotInFragment;
    }
    packet.set_stop(stop);
    stop.cause
}

#[inline(always)]
fn tunnel<B: Bytes>(bytes: B, offset: usize, announced: u32, packet: &mut Packet) -> Result<(), Rejected> {
    let end = payload_end(offset, announced, packet)?;
    let offset = offset + udp::LENGTH;
    let after = offset + geneve::LENGTH;
    let truncated = |header, at| (Malformed::Truncated, Fault::missing(header, at));
    if after > end {
        return Err((Malformed::Truncated, Fault::cut(Header::Geneve)));
    }
    let window = bytes.window::<{ geneve::LENGTH }>(offset).ok_or(truncated(Header::Geneve, after))?;
    let header = geneve::Geneve(window);
    packet.geneve_offset = offset as u16;
    packet.geneve_first = header.first_half();
    packet.geneve_protocol = header.protocol();
    packet.vni = header.vni();
    if header.version() != 0 {
        return Err((Malformed::Version, Fault::invalid(Header::Geneve)));
    }
    let payload = after + header.options_length();
    if payload > end {
        let is_cut = packet.outer.more_fragments();
        let fault = if is_cut { Fault::cut(Header::Option) } else { Fault::invalid(Header::Option) };
        return Err((Malformed::Options, fault));
    }
    packet.options_length = header.options_length() as u16;
    options(bytes, bytes.settle(after), packet)?;
    match header.protocol() {
        geneve::ETHERNET | ethernet::IPV4 | ethernet::IPV6 => {
            packet.payload = payload as u16;
            packet.payload_end = end as u32;
        }
        _ => packet.set_class(Class::Opaque),
    }
    if header.control() {
        packet.set_class(Class::Control);
    }
    Ok(())
}

/// Returns where the UDP payload ends in this frame: by the UDP length, or with the fragment.
#[inline(always)]
fn payload_end(offset: usize, announced: u32, packet: &Packet) -> Result<usize, Rejected> {
    let outer = &packet.outer;
    let room = outer.length.wrapping_sub(outer.header_length());
    if outer.length < outer.header_length() + udp::LENGTH as u32 {
        return Err((Malformed::OuterIp, Fault::invalid(ip_header(outer.version))));
    }
    let length = if announced == 0 && outer.length > 0xffff { room } else { announced };
    if length < (udp::LENGTH + geneve::LENGTH) as u32 || (length > room && !outer.more_fragments()) {
        return Err((Malformed::UdpLength, Fault::invalid(Header::Udp)));
    }
    let end = offset + if length < room { length } else { room } as usize;
    if end > packet.frame.length as usize {
        return Err((Malformed::Truncated, Fault::cut(ip_header(outer.version))));
    }
    Ok(end)
}

#[inline(always)]
fn ip_header(version: u8) -> Header {
    if version == 4 { Header::Ipv4 } else { Header::Ipv6 }
}

/// Walks all options, those without data too, and keeps what OVN says.
#[inline(always)]
fn options<B: Bytes>(bytes: B, mut offset: usize, packet: &mut Packet) -> Result<(), Rejected> {
    let mut left = packet.options_length as usize;
    for _ in 0..geneve::MAX_OPTIONS {
        if left == 0 {
            break;
        }
        let end = offset + geneve::OPTION_LENGTH;
        let window = bytes
            .window::<{ geneve::OPTION_LENGTH }>(offset)
            .ok_or((Malformed::Truncated, Fault::missing(Header::Option, end)))?;
        let option = geneve::OptionHeader(window);
        if option.length() > left {
            return Err((Malformed::Options, Fault::invalid(Header::Option)));
        }
        if option.is_ovn()
            && let Some(data) = bytes.window::<4>(end)
        {
            packet.has_ovn = 1;
            packet.ovn_ports = data.be32::<0>();
        }
        left -= option.length();
        offset = bytes.settle(offset + option.length());
    }
    Ok(())
}
