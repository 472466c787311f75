//! The outer half of the short way: Ethernet with one tag at most, IP, UDP to a tunnel port, Geneve.

use super::Exit;
use crate::frame::Frame;
use crate::packet::Address;
use crate::tables::Tables;
use crate::wire::geneve::{self, Geneve, OptionHeader};
use crate::wire::udp::{self, Udp};
use crate::wire::{Bytes, Window, ethernet, icmp, ipv4, ipv6, tcp};

/// The outer headers of a tunnel packet.
pub(super) struct Outer {
    pub(super) source: Address,
    pub(super) destination: Address,
    pub(super) offset: usize,
    pub(super) length: u32,
    /// Where the UDP header begins.
    pub(super) udp: usize,
    /// Where the UDP payload ends.
    pub(super) end: usize,
}

/// The UDP and the Geneve header, which one check proves.
const BOTH: usize = udp::LENGTH + geneve::LENGTH;

/// Ethernet with one tag at most, IP, UDP to a tunnel port.
#[inline(always)]
pub(super) fn outer<B: Bytes, T: Tables>(bytes: B, tables: &T) -> Result<(Outer, B::Window<BOTH>), Exit> {
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
pub(super) fn geneve<B: Bytes>(
    bytes: B,
    frame: &Frame,
    outer: &Outer,
    window: B::Window<BOTH>,
) -> Result<(u32, usize), Exit> {
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
