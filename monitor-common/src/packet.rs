//! A parsed frame: what it is, where each header stands, and the fields that the pipeline uses.
//!
//! [`parse`] fills a [`Packet`] that the caller owns, because the kernel keeps it in a map: it is larger than the
//! stack allows. A header that cannot be read stops the parse with a [`Stop`]; what was read before it remains.

pub mod class;
mod heading;
mod inner;
mod ip;
mod outer;
mod quote;
mod stop;

use core::hint;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, transmute_mut};

pub use class::{Class, Malformed};
pub use heading::Heading;
pub use ip::{Address, Ip};
pub use quote::Quote;
pub use stop::{Cause, Header, Layer, Stop};

use crate::frame::{Frame, UNTRACKED};
use crate::wire::Bytes;
use crate::wire::geneve::Ports;

/// A parsed frame. Offsets count from the start of the frame's bytes; a header that was not found has offset 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Packet {
    /// The outer IP header.
    pub outer: Ip,
    /// The packet that an ICMP error quotes.
    pub quote: Quote,
    /// The inner IP header.
    pub inner: Ip,
    /// What is known besides the bytes.
    pub frame: Frame,
    /// Where that payload ends.
    payload_end: u32,
    /// VNI of the Geneve header.
    pub vni: u32,
    /// Data of OVN's option ([`crate::wire::geneve::ovn_ports`] splits it).
    pub ovn_ports: u32,
    /// Sequence number of the inner TCP header; of an echo.
    pub sequence: u32,
    /// Acknowledgment number of the inner TCP header.
    pub acknowledgment: u32,
    /// TSval of the inner TCP header.
    pub tsval: u32,
    /// TSecr of the inner TCP header.
    pub tsecr: u32,
    /// Left edge of the first SACK block of the inner TCP header, or 0.
    pub sack_left: u32,
    /// Length in the outer UDP header.
    pub udp_length: u16,
    reserved: u16,
    /// Payload bytes of the inner TCP segment, as the inner IP header says.
    pub tcp_payload: u32,
    /// MTU that an ICMP error announces, or 0; the error is the outer packet or the inner one.
    pub icmp_mtu: u32,
    /// Control words (TCI) of the outer VLAN tags, outermost first.
    pub tags: [u16; 2],
    /// Source port of the outer UDP header.
    pub source_port: u16,
    /// Destination port of the outer UDP header.
    pub destination_port: u16,
    /// Checksum of the outer UDP header.
    pub udp_checksum: u16,
    /// Where the payload of a tunnel packet begins, or 0.
    payload: u16,
    /// Slot of the tunnel, once it is known.
    pub(crate) slot: u16,
    /// Where the Geneve header stands.
    pub geneve_offset: u16,
    /// Version, options length, O, C and reserved bits of the Geneve header, as they stand.
    pub geneve_first: u16,
    /// Protocol type of the Geneve header.
    pub geneve_protocol: u16,
    /// Length of the Geneve options, in bytes.
    pub options_length: u16,
    /// Where the inner Ethernet header stands.
    pub inner_ethernet: u16,
    /// Ethertype behind the inner tags.
    pub inner_ethertype: u16,
    /// Control words of the inner VLAN tags, outermost first.
    pub inner_tags: [u16; 2],
    /// Operation of an inner ARP packet, or 0.
    pub arp_operation: u16,
    /// Source port of the inner TCP or UDP header; identifier of an echo.
    pub inner_source_port: u16,
    /// Destination port of the inner TCP or UDP header; identifier of an echo.
    pub inner_destination_port: u16,
    /// Flags of the inner TCP header.
    pub tcp_flags: u16,
    /// Where the payload of the inner TCP, UDP or ICMP header begins.
    pub inner_payload: u16,
    /// MSS option of the inner TCP header, or 0.
    pub mss: u16,
    class: u8,
    malformed: u8,
    stop: [u8; 3],
    /// Number of outer VLAN tags, 0 to 2, one in the metadata included.
    pub tag_count: u8,
    /// 1 when `ovn_ports` holds the data of OVN's option.
    pub has_ovn: u8,
    /// Number of inner VLAN tags, 0 to 2.
    pub inner_tag_count: u8,
    /// BFD state (0 to 3) when `has_bfd`.
    pub bfd_state: u8,
    /// 1 when the inner packet is BFD.
    pub has_bfd: u8,
    /// 1 when `tsval` and `tsecr` were read.
    pub has_timestamps: u8,
    /// Type of the outer or inner ICMP header.
    pub icmp_type: u8,
    /// Code of the outer or inner ICMP header.
    pub icmp_code: u8,
    /// 1 when there is an ICMP header.
    pub has_icmp: u8,
}

impl Packet {
    /// What the packet is.
    #[inline(always)]
    pub fn class(&self) -> Class {
        Class::from_index(self.class as usize)
    }

    /// Why the packet is malformed, when it is.
    pub fn malformed(&self) -> Option<Malformed> {
        (self.class() == Class::Malformed).then(|| Malformed::from_index(self.malformed as usize))
    }

    /// Index of [`Packet::malformed`], when the packet is.
    #[inline(always)]
    pub(crate) fn malformed_index(&self) -> Option<u8> {
        if self.class == Class::Malformed as u8 { Some(self.malformed) } else { None }
    }

    /// Where the parse stopped before the end of the headers, and why.
    pub fn stop(&self) -> Option<Stop> {
        Stop::decode(self.stop)
    }

    /// O bit of the Geneve header.
    #[inline(always)]
    pub fn control(&self) -> bool {
        self.geneve_first & 0x80 != 0
    }

    /// C bit of the Geneve header.
    pub fn critical(&self) -> bool {
        self.geneve_first & 0x40 != 0
    }

    /// Says whether a Geneve header was read.
    #[inline(always)]
    pub fn has_geneve(&self) -> bool {
        self.geneve_offset != 0
    }

    /// Bytes that the tunnel adds: from the outer IP header to the inner one. 0 when there is no inner IP header.
    pub fn overhead(&self) -> u16 {
        if self.inner.version == 0 { 0 } else { self.inner.offset - self.outer.offset }
    }

    /// What hardly ever two packets through a tunnel have in common: identification, sequence number, checksum.
    #[inline(always)]
    pub(crate) fn content(&self) -> u32 {
        self.inner.id ^ self.sequence ^ u32::from(self.udp_checksum)
    }

    /// Says whether the inner packet tells that another one was too big for its way (RFC 1191, RFC 4443 §3.2).
    #[inline(always)]
    pub(crate) fn is_too_big_error(&self) -> bool {
        self.inner.version != 0 && self.quote.ip.version != 0 && self.icmp_mtu != 0
    }

    /// Inner source and destination, each with its port or the identifier of an echo.
    #[inline(always)]
    pub(crate) fn inner_ends(&self) -> [(Address, u16); 2] {
        [(self.inner.source, self.inner_source_port), (self.inner.destination, self.inner_destination_port)]
    }

    /// Outer IP length of the packets that it is on the wire: the longest, in bytes.
    #[inline(always)]
    pub(crate) fn wire_length(&self) -> u32 {
        let segment = self.frame.segment_size;
        let cut = u32::from(self.inner_payload) + segment - u32::from(self.outer.offset);
        if segment != 0 && cut < self.outer.length { cut } else { self.outer.length }
    }

    /// Empties it word by word. Where the compiler knows the value it calls a function that goes byte by byte, which was
    /// half of the long way.
    #[inline(always)]
    fn clear(&mut self) {
        let words: &mut [u64; size_of::<Self>() / 8] = transmute_mut!(self);
        let empty = hint::black_box(0);
        for word in words {
            *word = empty;
        }
    }

    #[inline(always)]
    fn set_class(&mut self, class: Class) {
        self.class = class as u8;
    }

    #[inline(always)]
    fn set_malformed(&mut self, reason: Malformed) {
        self.class = Class::Malformed as u8;
        self.malformed = reason as u8;
    }

    #[inline(always)]
    fn set_stop(&mut self, stop: Stop) {
        self.stop = stop.encode();
    }
}

/// Parses a frame into `packet`, whatever `packet` held before; `ports` are the tunnel's.
pub fn parse<B: Bytes>(bytes: B, frame: &Frame, ports: Ports, packet: &mut Packet) {
    if parse_outer(bytes, frame, ports, packet) {
        parse_inner(bytes, packet);
    }
}

/// The first half of [`parse`]: the underlay packet. Returns whether the other half has something to do.
#[inline(always)]
pub fn parse_outer<B: Bytes>(bytes: B, frame: &Frame, ports: Ports, packet: &mut Packet) -> bool {
    packet.clear();
    (packet.frame, packet.slot) = (*frame, UNTRACKED);
    outer::parse(bytes, ports, packet);
    packet.payload != 0
}

/// The second half of [`parse`]: what is in the tunnel.
#[inline(always)]
pub fn parse_inner<B: Bytes>(bytes: B, packet: &mut Packet) {
    let (offset, end) = (bytes.settle(packet.payload as usize), packet.payload_end as usize);
    inner::parse(bytes, offset, end, packet);
}
