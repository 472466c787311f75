//! Packets that each want one event of a known kind.

use monitor_common::event::Kind;
use monitor_common::frame::Direction;
use tests::bench::packets::{
    ACK_PUSH, CLIENT, NODE, PEER, SERVER, SYN, ethernet_v4, geneve, icmp, ipv4, tcp, timestamps, udp,
};
use tests::frame::base_packets;

/// A frame and the direction in which the device sees it.
pub(crate) type Seen = (Direction, Vec<u8>);

/// The kinds of events that frames want; the kernel's drops are no frames of a device.
pub(crate) const KINDS_OF_FRAMES: [Kind; 5] =
    [Kind::Rtt, Kind::Fragment, Kind::IcmpError, Kind::Retransmit, Kind::Handshake];

/// The frames that want exactly one event of this kind; the number is to be another one each time.
pub(crate) fn of(kind: Kind, number: u64) -> Vec<Seen> {
    match kind {
        Kind::Rtt => echo(number as u16),
        Kind::Fragment => vec![(Direction::Rx, base("first_outer_fragment"))],
        Kind::IcmpError => vec![(Direction::Rx, base("icmp_error"))],
        Kind::Retransmit => sent_again(number as u32),
        Kind::Handshake => handshake(number as u32),
        Kind::Drop => vec![],
    }
}

/// One of the packets that all readers of frames are shown.
pub(crate) fn base(name: &str) -> Vec<u8> {
    base_packets().into_iter().find(|(other, _)| *other == name).unwrap().1
}

/// A packet over IPv4 from one pod to another through the tunnel from one node to another.
fn tunnelled(protocol: u8, nodes: [[u8; 4]; 2], pods: [[u8; 4]; 2], payload: &[u8]) -> Vec<u8> {
    let inner = ethernet_v4(&ipv4(protocol, 0, pods, payload));
    ethernet_v4(&ipv4(17, 0, nodes, &udp([40_000, 6081], &geneve([0, 0, 0x65, 0x58], &[], &inner))))
}

/// A ping of this sequence number through the tunnel, and its answer.
fn echo(sequence: u16) -> Vec<Seen> {
    let [high, low] = sequence.to_be_bytes();
    let message = |kind: u8, nodes, ends| tunnelled(1, nodes, ends, &icmp(kind, 0, [0, 9, high, low], &[0x5a; 24]));
    let request = message(8, [NODE, PEER], [CLIENT, SERVER]);
    let reply = message(0, [PEER, NODE], [SERVER, CLIENT]);
    vec![(Direction::Tx, request), (Direction::Rx, reply)]
}

/// The pod of a connection of its own.
fn pod(number: u32) -> [u8; 4] {
    (0x0b00_0000 | number & 0xff_ffff).to_be_bytes()
}

/// Data that nobody acknowledges, and the same a moment later.
fn sent_again(number: u32) -> Vec<Seen> {
    let data = |tsval| tcp(ACK_PUSH, &timestamps(tsval, 1), &[0x5a; 64]);
    let frame = |tsval| (Direction::Tx, tunnelled(6, [NODE, PEER], [pod(number), SERVER], &data(tsval)));
    vec![frame(1000), frame(1200)]
}

/// A SYN and its answer, which carries data: that makes it no sample.
fn handshake(number: u32) -> Vec<Seen> {
    let mss = [2, 4, 5, 180];
    let syn = tunnelled(6, [NODE, PEER], [pod(number), SERVER], &tcp(SYN, &mss, &[]));
    let mut answer = tcp(SYN | ACK_PUSH, &mss, &[0x5a]);
    let (from, to) = ([4, 0], [1, 187]);
    answer[..4].copy_from_slice(&[to, from].concat());
    answer[8..12].copy_from_slice(&0x0101_u32.to_be_bytes());
    let answer = tunnelled(6, [PEER, NODE], [SERVER, pod(number)], &answer);
    vec![(Direction::Tx, syn), (Direction::Rx, answer)]
}
