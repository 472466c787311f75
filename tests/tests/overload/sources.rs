//! Packets that each want one event of a known kind.

use monitor_common::event::Kind;
use monitor_common::frame::Direction;
use tests::frame::base_packets;

/// A frame and the direction in which the device sees it.
pub(crate) type Seen = (Direction, Vec<u8>);

/// The frames that want exactly one event of this kind; the number is to be another one each time.
pub(crate) fn of(kind: Kind, number: u64) -> Vec<Seen> {
    match kind {
        Kind::Rtt => echo(number as u16),
        Kind::Fragment => vec![(Direction::Rx, base("first_outer_fragment"))],
        Kind::IcmpError => vec![(Direction::Rx, base("icmp_error"))],
    }
}

/// One of the packets that all readers of frames are shown.
pub(crate) fn base(name: &str) -> Vec<u8> {
    base_packets().into_iter().find(|(other, _)| *other == name).unwrap().1
}

/// A ping of this sequence number through the tunnel, and its answer.
fn echo(sequence: u16) -> Vec<Seen> {
    use tests::bench::packets::{CLIENT, NODE, PEER, SERVER, ethernet_v4, geneve, icmp, ipv4, udp};
    let [high, low] = sequence.to_be_bytes();
    let message = |kind: u8, nodes, ends| {
        let inner = ethernet_v4(&ipv4(1, 0, ends, &icmp(kind, 0, [0, 9, high, low], &[0x5a; 24])));
        let tunnel = udp([40_000, 6081], &geneve([0, 0, 0x65, 0x58], &[], &inner));
        ethernet_v4(&ipv4(17, 0, nodes, &tunnel))
    };
    let request = message(8, [NODE, PEER], [CLIENT, SERVER]);
    let reply = message(0, [PEER, NODE], [SERVER, CLIENT]);
    vec![(Direction::Tx, request), (Direction::Rx, reply)]
}
