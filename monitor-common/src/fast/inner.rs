//! The inner half of the short way: Ethernet without tags, IP without options or extension headers, UDP or TCP.

use super::Exit;
use crate::packet::Address;
use crate::wire::tcp::{self, Tcp};
use crate::wire::udp::{self, Udp};
use crate::wire::{Bytes, Window, bfd, ethernet, ipv4, ipv6};

/// The inner headers of a tunnel packet.
pub(super) struct Inner {
    pub(super) source: Address,
    pub(super) destination: Address,
    pub(super) offset: usize,
    pub(super) length: u32,
    pub(super) protocol: u8,
    /// Where the header behind IP begins.
    pub(super) transport: usize,
    pub(super) segment: Option<TcpSegment>,
}

/// A TCP segment with ACK, and without SYN and RST.
#[derive(Clone, Copy)]
pub(super) struct TcpSegment {
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    pub(super) has_payload: bool,
    pub(super) sequence: u32,
    pub(super) acknowledgment: u32,
    pub(super) timestamps: Option<(u32, u32)>,
}

/// Ethernet without tags, IP without options or extension headers, and what follows. `end` is where the inner frame
/// ends.
#[inline(always)]
pub(super) fn inner<B: Bytes>(bytes: B, offset: usize, end: usize) -> Result<Inner, Exit> {
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
