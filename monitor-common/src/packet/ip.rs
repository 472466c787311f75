//! An IP header of either version, with its extension headers walked; the same for outer, inner and quoted packets.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::stop::{Fault, Header};
use crate::wire::{Bytes, ethernet, ipv4, ipv6};

/// An IP address as two words of network-order bytes; of IPv4 the second word holds the four bytes and nothing else,
/// which leaves IPv6 addresses of the reserved block `::/64` ambiguous.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Address(pub [u64; 2]);

impl Address {
    /// An IPv4 address from its four bytes as they lie in memory.
    #[inline(always)]
    pub fn v4(raw: u32) -> Self {
        Self([0, u64::from(raw)])
    }

    /// The four bytes of an IPv4 address as they lie in memory.
    #[inline(always)]
    pub fn raw_v4(self) -> u32 {
        self.0[1] as u32
    }

    /// The address in the form that the standard library prints.
    pub fn ip(self) -> IpAddr {
        match self.0 {
            [0, word] if u32::try_from(word).is_ok() => IpAddr::V4(Ipv4Addr::from((word as u32).to_ne_bytes())),
            _ => IpAddr::V6(self.v6()),
        }
    }

    fn v6(self) -> Ipv6Addr {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.0[0].to_ne_bytes());
        bytes[8..].copy_from_slice(&self.0[1].to_ne_bytes());
        Ipv6Addr::from(bytes)
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        let ip = match ip {
            IpAddr::V4(ip) => return Self::v4(u32::from_ne_bytes(ip.octets())),
            IpAddr::V6(ip) => ip.octets(),
        };
        let word = |at: usize| {
            let mut half = [0; 8];
            half.copy_from_slice(&ip[at..at + 8]);
            u64::from_ne_bytes(half)
        };
        Self([word(0), word(8)])
    }
}

impl From<Ipv4Addr> for Address {
    fn from(ip: Ipv4Addr) -> Self {
        Self::from(IpAddr::V4(ip))
    }
}

const DONT_FRAGMENT: u8 = 1;
const FRAGMENT: u8 = 2;
const MORE: u8 = 4;

/// An IP header of either version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Ip {
    /// Source address.
    pub source: Address,
    /// Destination address.
    pub destination: Address,
    /// IPv4 total length, or IPv6 payload length + 40, in bytes; of a super-frame over 64 KiB what the frame holds.
    pub length: u32,
    /// Identification of the IPv4 header or of the IPv6 fragment header.
    pub id: u32,
    /// Where the header begins in the frame.
    pub offset: u16,
    /// Where the header of the next layer begins, behind options and extension headers.
    pub payload: u16,
    /// Fragment offset, in bytes.
    pub fragment_offset: u16,
    /// 4, 6, or 0 when there is no header.
    pub version: u8,
    /// Protocol of the payload, behind the extension headers.
    pub protocol: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    flags: u8,
    reserved: [u8; 6],
}

impl Ip {
    /// The source address, by the version of the header.
    pub fn source_ip(&self) -> IpAddr {
        if self.version == 6 { IpAddr::V6(self.source.v6()) } else { self.source.ip() }
    }

    /// The destination address, by the version of the header.
    pub fn destination_ip(&self) -> IpAddr {
        if self.version == 6 { IpAddr::V6(self.destination.v6()) } else { self.destination.ip() }
    }

    /// "Don't fragment"; an IPv6 packet has no such bit.
    pub fn dont_fragment(&self) -> bool {
        self.flags & DONT_FRAGMENT != 0
    }

    /// Says whether this is a fragment, the first or a later one, an atomic one (RFC 6946) included.
    #[inline(always)]
    pub fn is_fragment(&self) -> bool {
        self.flags & FRAGMENT != 0
    }

    /// "More fragments".
    #[inline(always)]
    pub fn more_fragments(&self) -> bool {
        self.flags & MORE != 0
    }

    /// A fragment that does not begin with the header of the next layer.
    #[inline(always)]
    pub fn is_later_fragment(&self) -> bool {
        self.fragment_offset != 0
    }

    /// Length of header, options and extension headers, in bytes.
    #[inline(always)]
    pub fn header_length(&self) -> u32 {
        u32::from(self.payload - self.offset)
    }
}

/// Reads the IP header at `offset` of a frame of `frame_length` bytes. Out of line: it serves three layers.
#[inline(never)]
pub(super) fn parse<B: Bytes>(
    bytes: B,
    offset: usize,
    ethertype: u16,
    frame_length: u32,
    ip: &mut Ip,
) -> Result<(), Fault> {
    ip.offset = offset as u16;
    if ethertype == ethernet::IPV4 {
        parse_v4(bytes, offset, frame_length, ip)
    } else {
        parse_v6(bytes, offset, frame_length, ip)
    }
}

#[inline(always)]
fn parse_v4<B: Bytes>(bytes: B, offset: usize, frame_length: u32, ip: &mut Ip) -> Result<(), Fault> {
    let window = bytes.window::<{ ipv4::LENGTH }>(offset).ok_or(Fault::missing(Header::Ipv4, offset + ipv4::LENGTH))?;
    let header = ipv4::Ipv4(window);
    let length = header.header_length();
    if header.version_ihl() >> 4 != 4 || length < ipv4::LENGTH {
        return Err(Fault::invalid(Header::Ipv4));
    }
    ip.version = 4;
    ip.source = Address::v4(header.source());
    ip.destination = Address::v4(header.destination());
    ip.length = or_whole(header.total_length(), 0, frame_length, offset);
    ip.id = u32::from(header.id());
    ip.payload = (offset + length) as u16;
    ip.fragment_offset = header.fragment_offset();
    ip.protocol = header.protocol();
    ip.ttl = header.ttl();
    let fragment = if header.is_fragment() { FRAGMENT } else { 0 };
    let more = if header.more_fragments() { MORE } else { 0 };
    ip.flags = u8::from(header.dont_fragment()) | fragment | more;
    Ok(())
}

#[inline(always)]
fn parse_v6<B: Bytes>(bytes: B, offset: usize, frame_length: u32, ip: &mut Ip) -> Result<(), Fault> {
    let window = bytes.window::<{ ipv6::LENGTH }>(offset).ok_or(Fault::missing(Header::Ipv6, offset + ipv6::LENGTH))?;
    let header = ipv6::Ipv6(window);
    if header.version() != 6 {
        return Err(Fault::invalid(Header::Ipv6));
    }
    ip.version = 6;
    ip.source = Address(header.source());
    ip.destination = Address(header.destination());
    ip.length = or_whole(header.payload_length(), ipv6::LENGTH as u32, frame_length, offset);
    ip.ttl = header.hop_limit();
    ip.protocol = header.next_header();
    ip.payload = (offset + ipv6::LENGTH) as u16;
    walk(bytes, ip)
}

/// Walks the extension headers up to the first that is none, or to a later fragment's payload.
#[inline(always)]
fn walk<B: Bytes>(bytes: B, ip: &mut Ip) -> Result<(), Fault> {
    let (mut offset, mut next) = (bytes.settle(ip.payload as usize), ip.protocol);
    for _ in 0..ipv6::MAX_EXTENSIONS {
        if !ipv6::is_extension(next) || ip.is_later_fragment() {
            break;
        }
        let end = offset + ipv6::EXTENSION_LENGTH;
        let window =
            bytes.window::<{ ipv6::EXTENSION_LENGTH }>(offset).ok_or(Fault::missing(Header::Extension, end))?;
        let extension = ipv6::Extension(window);
        if next == ipv6::FRAGMENT {
            ip.id = extension.id();
            ip.fragment_offset = extension.fragment_offset();
            ip.flags = if extension.more_fragments() { FRAGMENT | MORE } else { FRAGMENT };
        }
        offset = bytes.settle(offset + extension.length(next));
        next = extension.next_header();
        ip.payload = offset as u16;
        ip.protocol = next;
    }
    if ipv6::is_extension(next) && !ip.is_later_fragment() { Err(Fault::too_deep(Header::Extension)) } else { Ok(()) }
}

/// The length that a header announces plus `fixed`; of a super-frame over 64 KiB, which announces 0 (Linux BIG TCP),
/// all that stands behind `offset`.
#[inline(always)]
fn or_whole(announced: u32, fixed: u32, frame_length: u32, offset: usize) -> u32 {
    if announced == 0 && frame_length > 0xffff { frame_length - offset as u32 } else { announced + fixed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_prints_as_it_was_given() {
        for text in ["192.0.2.1", "2001:db8::7"] {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!(Address::from(ip).ip(), ip);
        }
        assert_eq!(Address::v4(u32::from_ne_bytes([192, 0, 2, 1])), Address::from(Ipv4Addr::new(192, 0, 2, 1)));
    }

    fn v6_with(next: u8, rest: &[u8]) -> ([u8; 128], usize) {
        let mut bytes = [0u8; 128];
        bytes[0] = 0x60;
        bytes[5] = rest.len() as u8;
        bytes[6] = next;
        bytes[40..40 + rest.len()].copy_from_slice(rest);
        (bytes, 40 + rest.len())
    }

    fn read(bytes: &[u8]) -> (Result<(), Fault>, Ip) {
        let mut ip = Ip::default();
        (parse(bytes, 0, ethernet::IPV6, bytes.len() as u32, &mut ip), ip)
    }

    #[test]
    fn extension_headers_are_walked_to_the_payload() {
        let rest = [[43, 0, 0, 0, 0, 0, 0, 0], [60, 0, 0, 0, 0, 0, 0, 0], [17, 0, 0, 0, 0, 0, 0, 0], [0; 8]].concat();
        let (bytes, length) = v6_with(ipv6::HOP_BY_HOP, &rest);
        let (result, ip) = read(&bytes[..length]);
        assert_eq!((result, ip.protocol, ip.payload), (Ok(()), 17, 64));
    }

    #[test]
    fn a_later_fragment_ends_the_walk() {
        let (bytes, length) = v6_with(ipv6::FRAGMENT, &[0, 0, 0x05, 0xa8, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8]);
        let (result, ip) = read(&bytes[..length]);
        assert_eq!(result, Ok(()));
        assert_eq!((ip.protocol, ip.id, ip.fragment_offset), (ipv6::HOP_BY_HOP, 9, 1448));
    }

    #[test]
    fn a_chain_that_is_too_long_is_not_followed() {
        let (bytes, length) = v6_with(ipv6::DESTINATION, &[[60, 0, 0, 0, 0, 0, 0, 0]; 8].concat());
        assert_eq!(read(&bytes[..length]).0, Err(Fault::too_deep(Header::Extension)));
    }
}
