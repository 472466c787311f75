//! The packets of a stream: each is known by its number, to the byte.

use std::net::Ipv4Addr;

use crate::frame::Rng;
use crate::frame::parts::{
    ACK, DOT1Q, ETHERTYPE_IPV4, GENEVE_PORT, Geneve, ICMP, Ipv4, TCP, Tcp, UDP, ethernet, icmp, option, ovn_option,
    timestamps, udp,
};

/// What a stream is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// UDP to a port that is no tunnel's.
    Plain,
    /// Geneve, of which one part goes the short way through the programs and the other one the long way.
    Geneve,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Plain, Self::Geneve];

    /// The port that it is sent to.
    pub(super) fn port(self) -> u16 {
        match self {
            Self::Plain => 9000,
            Self::Geneve => GENEVE_PORT,
        }
    }
}

/// Lengths of what a packet carries; the last does not fit one packet of a wire with 1500 bytes.
const LENGTHS: [usize; 6] = [16, 64, 200, 700, 1300, 2500];
const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 63, 0, 1), Ipv4Addr::new(10, 63, 0, 2)];
const VNI: u32 = 63;

/// All packets of a kind, without end: a few shapes in turn, each with its number at its end.
pub(super) struct Packets {
    shapes: Vec<Vec<u8>>,
}

impl Packets {
    pub(super) fn of(kind: Kind) -> Self {
        let mut random = Rng::new(kind.port().into());
        let bodies = LENGTHS.map(|length| random.bytes(length));
        let shapes = bodies.iter().flat_map(|body| match kind {
            Kind::Plain => vec![body.clone()],
            Kind::Geneve => tunnel_payloads(body),
        });
        Self { shapes: shapes.collect() }
    }

    /// The packet with this number, in place of what `buffer` holds.
    pub(super) fn write(&self, number: u64, buffer: &mut Vec<u8>) {
        let shape = &self.shapes[(number % self.shapes.len() as u64) as usize];
        buffer.clear();
        buffer.extend_from_slice(shape);
        let end = buffer.len() - size_of::<u64>();
        buffer[end..].copy_from_slice(&number.to_be_bytes());
    }

    /// The number that a packet has, if it is exactly the packet with this number; `buffer` is room for that one.
    pub(super) fn number(&self, packet: &[u8], buffer: &mut Vec<u8>) -> Option<u64> {
        let number = u64::from_be_bytes(*packet.last_chunk()?);
        self.write(number, buffer);
        (packet == buffer.as_slice()).then_some(number)
    }
}

/// What a UDP datagram to the tunnel port has inside, for each way through the programs.
fn tunnel_payloads(body: &[u8]) -> Vec<Vec<u8>> {
    let inner = |protocol, payload: &[u8]| Ipv4::new(ADDRESSES[0], ADDRESSES[1], protocol).over(payload);
    let frame = |protocol, payload: &[u8]| ethernet(&[], ETHERTYPE_IPV4, &inner(protocol, payload));
    let segment = Tcp { source: 40_000, destination: 443, flags: ACK, options: timestamps(9, 8), ..Tcp::default() };
    let (segment, datagram) = (segment.over(body), udp(40_000, 4789, body));
    let tagged = ethernet(&[(DOT1Q, 5)], ETHERTYPE_IPV4, &inner(UDP, &datagram));
    let with = |options: Vec<u8>| Geneve { options, ..Geneve::new(VNI) };
    let many = [option(0xffff, 1, &[]), option(0x0103, 0x7f, &[0xaa; 124]), ovn_option(11, 21)].concat();
    vec![
        // The short way.
        Geneve::new(VNI).over(&frame(TCP, &segment)),
        with(ovn_option(11, 21)).over(&frame(UDP, &datagram)),
        // The long way.
        with(many).over(&frame(TCP, &segment)),
        Geneve::new(VNI).over(&frame(ICMP, &icmp(8, 0, 7 << 16 | 1, body))),
        Geneve::new(VNI).over(&tagged),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_with_one_other_byte_has_no_number() {
        let (mut packet, mut room) = (Vec::new(), Vec::new());
        for kind in Kind::ALL {
            let packets = Packets::of(kind);
            for number in 0..packets.shapes.len() as u64 {
                packets.write(number, &mut packet);
                assert_eq!(packets.number(&packet, &mut room), Some(number));
                for at in [0, packet.len() / 2, packet.len() - 1] {
                    packet[at] ^= 1;
                    assert_ne!(packets.number(&packet, &mut room), Some(number), "{kind:?} {number}: byte {at}");
                    packet[at] ^= 1;
                }
                assert_eq!(packets.number(&packet[1..], &mut room), None);
            }
        }
    }
}
