//! The packet inside the tunnel. `end` is where its bytes end, by the lengths of the outer headers.

use super::stop::{Fault, Header, Layer};
use super::{Class, Malformed, Packet, ip, outer, quote};
use crate::wire::{Bytes, arp, bfd, ethernet as eth, geneve, icmp, tcp, udp};

/// The payload of a Geneve header, from `offset` to `end`; of a quoted one only addresses and ports.
#[inline(always)]
pub(super) fn parse<B: Bytes>(bytes: B, offset: usize, end: usize, packet: &mut Packet) {
    let result = match packet.geneve_protocol {
        geneve::ETHERNET => ethernet(bytes, offset, end, packet),
        ethertype => network(bytes, offset, ethertype, end, packet),
    };
    // A quote ends where it ends.
    if let Err(fault) = result
        && packet.class() != Class::IcmpError
    {
        outer::reject(packet, Malformed::Inner, Layer::Inner, fault);
    }
}

#[inline(always)]
fn ethernet<B: Bytes>(bytes: B, offset: usize, end: usize, packet: &mut Packet) -> Result<(), Fault> {
    let window = take::<B, { eth::LENGTH }>(bytes, offset, end, Header::Ethernet)?;
    packet.inner_ethernet = offset as u16;
    let ethertype = eth::Ethernet(window).ethertype();
    let (offset, ethertype) =
        outer::tags(bytes, offset + eth::LENGTH, ethertype, &mut packet.inner_tags, &mut packet.inner_tag_count)?;
    if offset > end {
        return Err(Fault::cut(Header::Vlan));
    }
    packet.inner_ethertype = ethertype;
    match ethertype {
        eth::IPV4 | eth::IPV6 => network(bytes, bytes.settle(offset), ethertype, end, packet),
        eth::ARP => {
            let window = take::<B, { arp::LENGTH }>(bytes, bytes.settle(offset), end, Header::Arp)?;
            packet.arp_operation = arp::Arp(window).operation();
            Ok(())
        }
        _ => Ok(()),
    }
}

/// An inner IP packet at `offset`. Out of line: it stands in Ethernet, or in Geneve itself.
#[inline(never)]
fn network<B: Bytes>(bytes: B, offset: usize, ethertype: u16, end: usize, packet: &mut Packet) -> Result<(), Fault> {
    packet.inner_ethertype = ethertype;
    ip::parse(bytes, offset, ethertype, packet.frame.length, &mut packet.inner)?;
    let header = if packet.inner.version == 4 { Header::Ipv4 } else { Header::Ipv6 };
    if packet.inner.payload as usize > end {
        return Err(Fault::cut(header));
    }
    if packet.class() == Class::IcmpError {
        return quoted_ports(bytes, end, packet);
    }
    let ip_end = offset + packet.inner.length as usize;
    let is_whole = !packet.outer.more_fragments();
    if packet.inner.length < packet.inner.header_length() || (ip_end > end && is_whole) {
        return Err(Fault::invalid(header));
    }
    if packet.inner.is_later_fragment() {
        return Ok(());
    }
    transport(bytes, if ip_end < end { ip_end } else { end }, packet)
}

/// TCP and UDP begin with their ports.
#[inline(always)]
fn quoted_ports<B: Bytes>(bytes: B, end: usize, packet: &mut Packet) -> Result<(), Fault> {
    let protocol = packet.inner.protocol;
    if (protocol == tcp::PROTOCOL || protocol == udp::PROTOCOL) && !packet.inner.is_later_fragment() {
        let offset = bytes.settle(packet.inner.payload as usize);
        let header = udp::Udp(take::<B, { udp::LENGTH }>(bytes, offset, end, Header::Udp)?);
        packet.inner_source_port = header.source_port();
        packet.inner_destination_port = header.destination_port();
    }
    Ok(())
}

#[inline(always)]
fn transport<B: Bytes>(bytes: B, end: usize, packet: &mut Packet) -> Result<(), Fault> {
    let offset = bytes.settle(packet.inner.payload as usize);
    let result = match packet.inner.protocol {
        tcp::PROTOCOL => parse_tcp(bytes, offset, end, packet),
        udp::PROTOCOL => parse_udp(bytes, offset, end, packet),
        icmp::PROTOCOL_V4 | icmp::PROTOCOL_V6 => parse_icmp(bytes, offset, end, packet),
        _ => Ok(()),
    };
    if packet.has_timestamps != 0 {
        // Only here, where the ways through the options have met again: the verifier of 6.1 goes on from each of them.
        let start = bytes.settle(packet.inner.payload as usize + tcp::LENGTH);
        packet.sack_left = tcp::sack_left(bytes, start, packet.inner_payload as usize);
    }
    // The rest of a header may stand in the next inner fragment: no fault of this packet.
    if packet.inner.more_fragments() { Ok(()) } else { result }
}

#[inline(always)]
fn parse_tcp<B: Bytes>(bytes: B, offset: usize, end: usize, packet: &mut Packet) -> Result<(), Fault> {
    let header = tcp::Tcp(take::<B, { tcp::LENGTH }>(bytes, offset, end, Header::Tcp)?);
    let length = header.header_length();
    if length < tcp::LENGTH {
        return Err(Fault::invalid(Header::Tcp));
    }
    if offset + length > end {
        return Err(Fault::cut(Header::Tcp));
    }
    packet.inner_source_port = header.source_port();
    packet.inner_destination_port = header.destination_port();
    packet.sequence = header.sequence();
    packet.acknowledgment = header.acknowledgment();
    packet.tcp_flags = header.flags();
    packet.inner_payload = (offset + length) as u16;
    packet.tcp_payload = packet.inner.length - packet.inner.header_length() - length as u32;
    let start = bytes.settle(offset + tcp::LENGTH);
    let options = tcp::options(bytes, start, offset + length);
    packet.mss = options.mss;
    if let Some((tsval, tsecr)) = options.timestamps {
        packet.has_timestamps = 1;
        packet.tsval = tsval;
        packet.tsecr = tsecr;
    }
    Ok(())
}

#[inline(always)]
fn parse_udp<B: Bytes>(bytes: B, offset: usize, end: usize, packet: &mut Packet) -> Result<(), Fault> {
    let header = udp::Udp(take::<B, { udp::LENGTH }>(bytes, offset, end, Header::Udp)?);
    packet.inner_source_port = header.source_port();
    packet.inner_destination_port = header.destination_port();
    packet.inner_payload = (offset + udp::LENGTH) as u16;
    if header.destination_port() == bfd::PORT {
        let header = bfd::Bfd(take::<B, { bfd::LENGTH }>(bytes, offset + udp::LENGTH, end, Header::Bfd)?);
        if header.version() == 1 {
            packet.has_bfd = 1;
            packet.bfd_state = header.state();
        }
    }
    Ok(())
}

#[inline(always)]
fn parse_icmp<B: Bytes>(bytes: B, offset: usize, end: usize, packet: &mut Packet) -> Result<(), Fault> {
    let protocol = packet.inner.protocol;
    let header = icmp::Icmp(take::<B, { icmp::LENGTH }>(bytes, offset, end, Header::Icmp)?);
    packet.has_icmp = 1;
    packet.icmp_type = header.kind();
    packet.icmp_code = header.code();
    packet.inner_payload = (offset + icmp::LENGTH) as u16;
    match icmp::purpose(protocol, header.kind()) {
        icmp::Purpose::Request | icmp::Purpose::Reply => {
            packet.inner_source_port = header.id();
            packet.inner_destination_port = header.id();
            packet.sequence = u32::from(header.sequence());
        }
        icmp::Purpose::Error => {
            packet.icmp_mtu = header.mtu(protocol);
            quote::parse(bytes, offset + icmp::LENGTH, end, protocol, packet);
        }
        icmp::Purpose::Other => {}
    }
    Ok(())
}

/// The `N` bytes at `offset`, when they end before `end` and can be read.
#[inline(always)]
fn take<B: Bytes, const N: usize>(bytes: B, offset: usize, end: usize, header: Header) -> Result<B::Window<N>, Fault> {
    if offset + N > end {
        return Err(Fault::cut(header));
    }
    bytes.window::<N>(offset).ok_or(Fault::missing(header, offset + N))
}
