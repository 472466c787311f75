//! Headers around payloads: each function takes what is inside and returns the longer bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ethertypes and the protocol type of an inner Ethernet frame.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
pub const ETHERTYPE_ARP: u16 = 0x0806;
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
pub const TRANSPARENT_ETHERNET: u16 = 0x6558;
/// Tag protocols.
pub const DOT1Q: u16 = 0x8100;
pub const DOT1AD: u16 = 0x88a8;
/// IP protocols.
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMP: u8 = 1;
pub const ICMP_V6: u8 = 58;
/// TCP flags.
pub const FIN: u16 = 0x01;
pub const SYN: u16 = 0x02;
pub const RST: u16 = 0x04;
pub const PUSH: u16 = 0x08;
pub const ACK: u16 = 0x10;
/// UDP ports.
pub const GENEVE_PORT: u16 = 6081;
pub const BFD_PORT: u16 = 3784;

/// An Ethernet frame with `tags` (tag protocol, control word), outermost first.
pub fn ethernet(tags: &[(u16, u16)], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    for (protocol, control) in tags {
        frame.extend(protocol.to_be_bytes());
        frame.extend(control.to_be_bytes());
    }
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

/// An IPv4 header.
#[derive(Clone, Debug)]
pub struct Ipv4 {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub protocol: u8,
    pub id: u16,
    pub dont_fragment: bool,
    pub more_fragments: bool,
    /// In bytes, a multiple of 8.
    pub fragment_offset: u16,
    /// A multiple of 4 bytes, 40 at most.
    pub options: Vec<u8>,
}

impl Ipv4 {
    pub fn new(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8) -> Self {
        let (dont_fragment, more_fragments) = (true, false);
        Self {
            source,
            destination,
            protocol,
            id: 0,
            dont_fragment,
            more_fragments,
            fragment_offset: 0,
            options: vec![],
        }
    }

    pub fn over(&self, payload: &[u8]) -> Vec<u8> {
        let length = 20 + self.options.len();
        let flags = u16::from(self.dont_fragment) << 14 | u16::from(self.more_fragments) << 13;
        let mut packet = vec![0x40 | (length / 4) as u8, 0];
        packet.extend(((length + payload.len()) as u16).to_be_bytes());
        packet.extend(self.id.to_be_bytes());
        packet.extend((flags | self.fragment_offset >> 3).to_be_bytes());
        packet.extend([64, self.protocol, 0, 0]);
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        packet.extend(&self.options);
        let checksum = checksum(&packet);
        packet[10..12].copy_from_slice(&checksum.to_be_bytes());
        packet.extend(payload);
        packet
    }
}

/// The Internet checksum of a header (RFC 1071).
fn checksum(header: &[u8]) -> u16 {
    let sum: u32 = header.chunks_exact(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

/// An IPv6 extension header: its kind, and what follows its "next header" byte.
pub type Extension = (u8, Vec<u8>);

/// An extension header of `units` * 8 bytes that holds padding.
pub fn extension(kind: u8, units: u8) -> Extension {
    let mut body = vec![units - 1, 1, 4];
    body.resize(usize::from(units) * 8 - 1, 0);
    (kind, body)
}

/// A fragment header; `offset` in bytes, a multiple of 8.
pub fn fragment_header(offset: u16, more_fragments: bool, id: u32) -> Extension {
    let word = offset | u16::from(more_fragments);
    let mut body = vec![0];
    body.extend(word.to_be_bytes());
    body.extend(id.to_be_bytes());
    (44, body)
}

/// An IPv6 header with its extension headers; `protocol` is what stands behind them.
#[derive(Clone, Debug)]
pub struct Ipv6 {
    pub source: Ipv6Addr,
    pub destination: Ipv6Addr,
    pub protocol: u8,
    pub extensions: Vec<Extension>,
}

impl Ipv6 {
    pub fn new(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8) -> Self {
        Self { source, destination, protocol, extensions: vec![] }
    }

    pub fn over(&self, payload: &[u8]) -> Vec<u8> {
        let kinds: Vec<u8> = self.extensions.iter().map(|(kind, _)| *kind).chain([self.protocol]).collect();
        let extensions: usize = self.extensions.iter().map(|(_, body)| 1 + body.len()).sum();
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend(((extensions + payload.len()) as u16).to_be_bytes());
        packet.extend([kinds[0], 64]);
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        for ((_, body), next) in self.extensions.iter().zip(&kinds[1..]) {
            packet.push(*next);
            packet.extend(body);
        }
        packet.extend(payload);
        packet
    }
}

/// A plain IP packet between addresses of one family, with its ethertype.
pub fn ip(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> (u16, Vec<u8>) {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            (ETHERTYPE_IPV4, Ipv4::new(source, destination, protocol).over(payload))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            (ETHERTYPE_IPV6, Ipv6::new(source, destination, protocol).over(payload))
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => panic!("a packet has one address family"),
    }
}

/// A UDP datagram.
pub fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let mut datagram = [source.to_be_bytes(), destination.to_be_bytes()].concat();
    datagram.extend(((8 + payload.len()) as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    datagram
}

/// A Geneve header.
#[derive(Clone, Debug)]
pub struct Geneve {
    pub version: u8,
    pub control: bool,
    pub critical: bool,
    pub protocol: u16,
    pub vni: u32,
    /// Whole options; a multiple of 4 bytes.
    pub options: Vec<u8>,
}

impl Geneve {
    pub fn new(vni: u32) -> Self {
        Self { version: 0, control: false, critical: false, protocol: TRANSPARENT_ETHERNET, vni, options: vec![] }
    }

    pub fn over(&self, payload: &[u8]) -> Vec<u8> {
        let flags = u8::from(self.control) << 7 | u8::from(self.critical) << 6;
        let mut packet = vec![self.version << 6 | (self.options.len() / 4) as u8 & 0x3f, flags];
        packet.extend(self.protocol.to_be_bytes());
        packet.extend((self.vni << 8).to_be_bytes());
        packet.extend(&self.options);
        packet.extend(payload);
        packet
    }
}

/// A Geneve option; `data` is a multiple of 4 bytes, 124 at most.
pub fn option(class: u16, kind: u8, data: &[u8]) -> Vec<u8> {
    let mut option = class.to_be_bytes().to_vec();
    option.extend([kind, (data.len() / 4) as u8]);
    option.extend(data);
    option
}

/// OVN's option of logical ports.
pub fn ovn_option(ingress_port: u16, egress_port: u16) -> Vec<u8> {
    option(0x0102, 0x80, &[ingress_port.to_be_bytes(), egress_port.to_be_bytes()].concat())
}

/// A TCP header.
#[derive(Clone, Debug, Default)]
pub struct Tcp {
    pub source: u16,
    pub destination: u16,
    pub sequence: u32,
    pub acknowledgment: u32,
    pub flags: u16,
    /// Filled up to a multiple of 4 bytes; 40 at most.
    pub options: Vec<u8>,
}

impl Tcp {
    pub fn over(&self, payload: &[u8]) -> Vec<u8> {
        let mut segment = [self.source.to_be_bytes(), self.destination.to_be_bytes()].concat();
        segment.extend(self.sequence.to_be_bytes());
        segment.extend(self.acknowledgment.to_be_bytes());
        let length = (20 + self.options.len()).next_multiple_of(4);
        segment.extend((((length / 4) as u16 & 0xf) << 12 | self.flags).to_be_bytes());
        segment.extend([0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(&self.options);
        segment.resize(length, 0);
        segment.extend(payload);
        segment
    }
}

/// Timestamps where Linux puts them.
pub fn timestamps(tsval: u32, tsecr: u32) -> Vec<u8> {
    [[1, 1, 8, 10], tsval.to_be_bytes(), tsecr.to_be_bytes()].concat()
}

/// An ICMP or ICMPv6 message; `rest` is the second half of its header.
pub fn icmp(kind: u8, code: u8, rest: u32, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(rest.to_be_bytes());
    message.extend(payload);
    message
}

/// An ARP packet for IPv4 over Ethernet.
pub fn arp(operation: u16) -> Vec<u8> {
    let mut packet = vec![0, 1, 8, 0, 6, 4];
    packet.extend(operation.to_be_bytes());
    packet.extend([2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2]);
    packet
}

/// A BFD control packet (version 1) in a state of 0 to 3.
pub fn bfd(state: u8) -> Vec<u8> {
    let mut packet = vec![0x20, state << 6, 3, 24];
    packet.extend([0, 0, 0, 1, 0, 0, 0, 2, 0, 15, 66, 64, 0, 15, 66, 64, 0, 0, 0, 0]);
    packet
}
