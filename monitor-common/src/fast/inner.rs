//! The inner half of the short way: Ethernet without tags, IP without options or extension headers, UDP or TCP.

use super::Exit;
use crate::flow;
use crate::packet::Address;
use crate::wire::tcp::{self, Tcp};
use crate::wire::udp::{self, Udp};
use crate::wire::{Bytes, Window, bfd, ethernet, ipv4, ipv6};

/// What the inner headers of a tunnel packet say.
pub(super) struct Inner<B> {
    /// Length of the IP packet, in bytes.
    pub(super) length: u32,
    pub(super) transport: Transport<B>,
}

/// What is in the tunnel.
pub(super) enum Transport<B> {
    /// UDP, and not BFD.
    Datagram,
    Segment(Segment<B>),
}

/// TCP.
#[derive(Clone, Copy)]
pub(super) struct Segment<B> {
    /// From the TCP header on, which is known to be there.
    pub(super) bytes: B,
    /// Length of the segment, in bytes; under 0 when the IP header announces less than itself.
    pub(super) length: i32,
    /// Source and destination with their ports, for the key of a flow.
    pub(super) ends: [u64; 2],
}

const OVER_V4: usize = ethernet::LENGTH + ipv4::LENGTH;
const OVER_V6: usize = ethernet::LENGTH + ipv6::LENGTH;

/// Ethernet without tags, IP without options or extension headers, and what follows.
#[inline(always)]
pub(super) fn inner<B: Bytes>(bytes: B) -> Result<Inner<B>, Exit> {
    const IPV4: u16 = ethernet::IPV4.to_be();
    const IPV6: u16 = ethernet::IPV6.to_be();
    let window = bytes.near::<OVER_V4>(0).ok_or(Exit::Declined)?;
    match window.raw16::<12>() {
        IPV4 => {
            let header = ipv4::Ipv4(window.part::<{ ethernet::LENGTH }, { ipv4::LENGTH }>());
            if header.version_ihl() != 0x45 || header.is_fragment() {
                return Err(Exit::Declined);
            }
            let (length, rest) = (header.total_length(), bytes.behind::<OVER_V4>());
            let room = length as i32 - ipv4::LENGTH as i32;
            let transport = transport(rest, header.protocol(), room, |[from, to]| {
                [flow::end_v4(header.source(), from), flow::end_v4(header.destination(), to)]
            })?;
            Ok(Inner { length, transport })
        }
        IPV6 => {
            let window = bytes.near::<OVER_V6>(0).ok_or(Exit::Declined)?;
            let header = ipv6::Ipv6(window.part::<{ ethernet::LENGTH }, { ipv6::LENGTH }>());
            if header.version() != 6 {
                return Err(Exit::Declined);
            }
            let (room, rest) = (header.payload_length(), bytes.behind::<OVER_V6>());
            let transport = transport(rest, header.next_header(), room as i32, |[from, to]| {
                [flow::end_v6(Address(header.source()), from), flow::end_v6(Address(header.destination()), to)]
            })?;
            Ok(Inner { length: room + ipv6::LENGTH as u32, transport })
        }
        _ => Err(Exit::Declined),
    }
}

#[inline(always)]
fn transport<B: Bytes>(
    bytes: B,
    protocol: u8,
    length: i32,
    ends: impl Fn([u16; 2]) -> [u64; 2],
) -> Result<Transport<B>, Exit> {
    match protocol {
        udp::PROTOCOL => {
            let header = Udp(bytes.near::<{ udp::LENGTH }>(0).ok_or(Exit::Declined)?);
            if length < udp::LENGTH as i32 || header.destination_port() == bfd::PORT {
                return Err(Exit::Declined);
            }
            Ok(Transport::Datagram)
        }
        tcp::PROTOCOL => {
            let header = Tcp(bytes.near::<{ tcp::LENGTH }>(0).ok_or(Exit::Declined)?);
            let ends = ends([header.0.raw16::<0>(), header.0.raw16::<2>()]);
            Ok(Transport::Segment(Segment { bytes, length, ends }))
        }
        _ => Err(Exit::Declined),
    }
}

/// Source and destination of a packet that [`inner`] has taken.
#[inline(always)]
pub(super) fn addresses<B: Bytes>(bytes: B) -> Option<[Address; 2]> {
    let window = bytes.near::<OVER_V4>(0)?;
    if window.be16::<12>() == ethernet::IPV4 {
        let header = ipv4::Ipv4(window.part::<{ ethernet::LENGTH }, { ipv4::LENGTH }>());
        return Some([Address::v4(header.source()), Address::v4(header.destination())]);
    }
    let window = bytes.near::<OVER_V6>(0)?;
    let header = ipv6::Ipv6(window.part::<{ ethernet::LENGTH }, { ipv6::LENGTH }>());
    Some([Address(header.source()), Address(header.destination())])
}
