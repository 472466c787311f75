//! ICMP errors and the packet that they quote, which may stop after 8 bytes of its payload (RFC 792), or after
//! whatever fits (RFC 1812 §4.3.2.3, RFC 4443 §2.4).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::stop::Layer;
use super::{Class, Ip, Packet, ip, outer};
use crate::wire::geneve::Ports;
use crate::wire::{Bytes, ethernet, geneve, icmp, tcp, udp};

/// A quoted packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Quote {
    /// Its IP header; version 0 when there is no quote.
    pub ip: Ip,
    /// Its VNI, when `has_vni`.
    pub vni: u32,
    /// Bytes of it that the message holds, from its IP header on.
    pub length: u32,
    /// Its TCP or UDP source port, when `has_ports`.
    pub source_port: u16,
    /// Its TCP or UDP destination port, when `has_ports`.
    pub destination_port: u16,
    /// 1 when the ports were quoted.
    pub has_ports: u8,
    /// 1 when a Geneve header was quoted.
    pub has_vni: u8,
    reserved: [u8; 2],
}

/// An outer ICMP or ICMPv6 message; one that quotes a tunnel packet makes the packet [`Class::IcmpError`].
#[inline(always)]
pub(super) fn outer_error<B: Bytes>(bytes: B, ports: Ports, packet: &mut Packet) {
    let offset = bytes.settle(packet.outer.payload as usize);
    let ip_end = u32::from(packet.outer.offset) + packet.outer.length;
    let end = if ip_end < packet.frame.length { ip_end } else { packet.frame.length } as usize;
    let Some(window) = bytes.window::<{ icmp::LENGTH }>(offset) else { return };
    let (header, protocol) = (icmp::Icmp(window), packet.outer.protocol);
    packet.has_icmp = 1;
    packet.icmp_type = header.kind();
    packet.icmp_code = header.code();
    if icmp::purpose(protocol, header.kind()) != icmp::Purpose::Error {
        return;
    }
    packet.icmp_mtu = header.mtu(protocol);
    parse(bytes, offset + icmp::LENGTH, end, protocol, packet);
    let quote = &packet.quote;
    if quote.has_ports != 0 && quote.ip.protocol == udp::PROTOCOL && outer::is_tunnel(ports, quote.destination_port) {
        packet.set_class(Class::IcmpError);
        vni(bytes, end, packet);
    }
}

/// The packet that a message over `protocol` quotes at `offset`: IP header and ports, as far as they go. Out of line:
/// the message is the outer packet or the inner one.
#[inline(never)]
pub(super) fn parse<B: Bytes>(bytes: B, offset: usize, end: usize, protocol: u8, packet: &mut Packet) {
    let offset = bytes.settle(offset);
    let ethertype = if protocol == icmp::PROTOCOL_V4 { ethernet::IPV4 } else { ethernet::IPV6 };
    let quote = &mut packet.quote;
    if let Err(fault) = ip::parse(bytes, offset, ethertype, packet.frame.length, &mut quote.ip) {
        outer::stop(packet, Layer::Quoted, fault);
        return;
    }
    quote.length = (end as u32).saturating_sub(offset as u32);
    let offset = bytes.settle(quote.ip.payload as usize);
    let has_ports = quote.ip.protocol == udp::PROTOCOL || quote.ip.protocol == tcp::PROTOCOL;
    if !has_ports || quote.ip.is_later_fragment() || offset + udp::LENGTH > end {
        return;
    }
    // TCP and UDP begin with the same two ports, and a quote holds 8 bytes of them.
    if let Some(window) = bytes.window::<{ udp::LENGTH }>(offset) {
        let header = udp::Udp(window);
        quote.source_port = header.source_port();
        quote.destination_port = header.destination_port();
        quote.has_ports = 1;
    }
}

/// The VNI of a quoted tunnel packet, when the quote reaches that far, and where what it carries begins.
#[inline(always)]
fn vni<B: Bytes>(bytes: B, end: usize, packet: &mut Packet) {
    let offset = bytes.settle(packet.quote.ip.payload as usize) + udp::LENGTH;
    if offset + geneve::LENGTH > end {
        return;
    }
    let Some(window) = bytes.window::<{ geneve::LENGTH }>(offset) else { return };
    let header = geneve::Geneve(window);
    if header.version() == 0 {
        packet.quote.vni = header.vni();
        packet.quote.has_vni = 1;
        packet.geneve_protocol = header.protocol();
        packet.payload = (offset + geneve::LENGTH + header.options_length()) as u16;
        packet.payload_end = end as u32;
    }
}
