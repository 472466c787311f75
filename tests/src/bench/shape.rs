//! The wrappings that tunnel packets frequently come in, and packets in them.

use super::packets::{
    ACK_PUSH, CLIENT, NODE, PEER, SERVER, ethernet, ethernet_v4, ethernet_v6, geneve, ipv4, ipv6, tcp, timestamps, udp,
};

/// How a packet is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// IPv4 in Geneve over IPv4.
    Plain,
    /// IPv6 in the tunnel.
    InnerV6,
    /// IPv6 under the tunnel.
    OuterV6,
    /// An 802.1Q tag before the outer IP header.
    Tagged,
    /// OVN's option of logical ports.
    Ovn,
}

/// OVN's option: class 0x0102, type 0x80, one word with the logical ports.
const OVN_OPTION: [u8; 8] = [1, 2, 0x80, 1, 0, 11, 0, 21];
const VLAN: u16 = 0x8100;
const PAYLOAD: [u8; 64] = [0x5a; 64];
const DONT_FRAGMENT: u16 = 0x4000;

/// A UDP datagram of a pod.
pub fn datagram(shape: Shape) -> Vec<u8> {
    wrapped(shape, 17, false, DONT_FRAGMENT, &udp([1024, 443], &PAYLOAD))
}

/// A TCP segment of a pod with data and timestamps.
pub fn segment(shape: Shape) -> Vec<u8> {
    talk(shape, 0)
}

/// The segment of this pass of a conversation, as the driver writes it: the sides take turns, and each segment carries a
/// new TSval and echoes the last one of the other side.
pub fn talk(shape: Shape, pass: u32) -> Vec<u8> {
    let mut segment = tcp(ACK_PUSH, &timestamps(5000 + pass, 4999 + pass), &PAYLOAD);
    let is_answer = pass & 1 != 0;
    if is_answer {
        segment[..4].rotate_left(2);
    }
    wrapped(shape, 6, is_answer, DONT_FRAGMENT, &segment)
}

/// A packet of a pod in a tunnel; an answer goes the other way.
pub fn wrapped(shape: Shape, protocol: u8, is_answer: bool, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let [mut ends, mut nodes] = [[CLIENT, SERVER], [NODE, PEER]];
    if is_answer {
        ends.reverse();
        nodes.reverse();
    }
    let frame = if shape == Shape::InnerV6 {
        ethernet_v6(&ipv6(protocol, ends, payload))
    } else {
        ethernet_v4(&ipv4(protocol, fragment, ends, payload))
    };
    let tunnel = if shape == Shape::Ovn {
        geneve([2, 0x40, 0x65, 0x58], &OVN_OPTION, &frame)
    } else {
        geneve([0, 0, 0x65, 0x58], &[], &frame)
    };
    under(shape, nodes, &udp([40_000, 6081], &tunnel))
}

/// The underlay frame of a tunnel's datagram.
fn under(shape: Shape, nodes: [[u8; 4]; 2], datagram: &[u8]) -> Vec<u8> {
    let packet = ipv4(17, DONT_FRAGMENT, nodes, datagram);
    match shape {
        Shape::OuterV6 => ethernet_v6(&ipv6(17, nodes, datagram)),
        Shape::Tagged => ethernet(VLAN, &[&[0, 7, 8, 0][..], &packet].concat()),
        Shape::Plain | Shape::InnerV6 | Shape::Ovn => ethernet_v4(&packet),
    }
}

#[cfg(test)]
mod tests {
    use super::super::packets;
    use super::*;

    #[test]
    fn the_plain_shape_is_that_of_the_plain_packets() {
        assert_eq!(datagram(Shape::Plain), packets::tunnel_udp());
        assert_eq!(segment(Shape::Plain), packets::tunnel_tcp());
    }

    #[test]
    fn each_shape_differs_from_the_plain_one_by_its_headers() {
        let extra = |shape| datagram(shape).len() - datagram(Shape::Plain).len();
        let shapes = [Shape::InnerV6, Shape::OuterV6, Shape::Tagged, Shape::Ovn];
        assert_eq!(shapes.map(extra), [20, 20, 4, 8]);
    }
}
