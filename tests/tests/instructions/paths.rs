//! The paths through the programs, each as the packets that lead to it and the one that takes it.

use tests::bench::packets::{
    CLIENT, SERVER, SYN, arp, ethernet_v4, icmp, icmp_error, ipv4, plain_tcp, plain_udp, tcp, tunnelled, udp,
};
use tests::bench::shape::{Shape, datagram, talk, wrapped};

/// A path.
pub(crate) struct Path {
    /// Its name in the budget.
    pub(crate) id: &'static str,
    /// The packets before the one that counts.
    pub(crate) before: Vec<Vec<u8>>,
    /// The packet that counts.
    pub(crate) frame: Vec<u8>,
    /// Time between packets.
    pub(crate) gap_ns: u64,
    /// What the path should take at most, where there is a target.
    pub(crate) target: Option<u64>,
}

const SHAPES: [Shape; 5] = [Shape::Plain, Shape::InnerV6, Shape::OuterV6, Shape::Tagged, Shape::Ovn];

const SYN_OPTIONS: [u8; 20] = [2, 4, 5, 130, 4, 2, 8, 10, 0, 0, 19, 136, 0, 0, 0, 0, 1, 3, 3, 7];
const PAYLOAD: [u8; 64] = [0x5a; 64];
const MORE_FRAGMENTS: u16 = 0x2000;
const DONT_FRAGMENT: u16 = 0x4000;

const MICROSECOND: u64 = 1_000;
const SECOND: u64 = 1_000_000_000;

/// Every path.
pub(crate) fn paths() -> Vec<Path> {
    [strangers(), counted(), steady(), conversations(), long()].into_iter().flatten().collect()
}

fn path(id: &'static str, before: Vec<Vec<u8>>, frame: Vec<u8>, target: Option<u64>) -> Path {
    Path { id, before, frame, gap_ns: 50 * MICROSECOND, target }
}

/// Not ours.
fn strangers() -> Vec<Path> {
    vec![
        path("not_ours_tcp", vec![], plain_tcp(), Some(25)),
        path("not_ours_udp", vec![], plain_udp(), Some(40)),
        path("not_ours_arp", vec![], arp(), Some(25)),
    ]
}

/// A datagram in a tunnel that is known.
fn counted() -> Vec<Path> {
    let ids = ["count", "count_inner_v6", "count_outer_v6", "count_vlan", "count_ovn"];
    let targets = [110, 300, 300, 300, 300];
    let of = |((id, shape), target)| path(id, vec![datagram(shape)], datagram(shape), Some(target));
    ids.into_iter().zip(SHAPES).zip(targets).map(of).collect()
}

/// A segment whose TSval is the one that is stamped already.
fn steady() -> Vec<Path> {
    let ids = ["steady", "steady_inner_v6", "steady_outer_v6", "steady_vlan", "steady_ovn"];
    let targets = [240, 300, 300, 300, 300];
    let of = |((id, shape), target)| path(id, vec![talk(shape, 0); 3], talk(shape, 0), Some(target));
    ids.into_iter().zip(SHAPES).zip(targets).map(of).collect()
}

/// A segment that answers the one before it and is stamped itself: soon after another event of its flow, and as the
/// first one for long.
fn conversations() -> Vec<Path> {
    let ids = ["rtt_match", "rtt_match_inner_v6", "rtt_match_outer_v6", "rtt_match_vlan", "rtt_match_ovn"];
    let before = |shape| (0..8).map(|pass| talk(shape, pass)).collect::<Vec<_>>();
    let of = |(id, shape)| path(id, before(shape), talk(shape, 8), (shape == Shape::Plain).then_some(320));
    let mut paths: Vec<Path> = ids.into_iter().zip(SHAPES).map(of).collect();
    let reported = path("rtt_match_event", before(Shape::Plain), talk(Shape::Plain, 8), None);
    paths.push(Path { gap_ns: SECOND, ..reported });
    paths
}

/// What goes the long way in a tunnel that is known.
fn long() -> Vec<Path> {
    let known = || vec![datagram(Shape::Plain)];
    let echo = |kind| wrapped(Shape::Plain, 1, kind == 0, DONT_FRAGMENT, &icmp(kind, 0, [0, 9, 0, 1], &PAYLOAD));
    let syn = wrapped(Shape::Plain, 6, false, DONT_FRAGMENT, &tcp(SYN, &SYN_OPTIONS, &[]));
    let datagram_bytes = udp([1024, 443], &PAYLOAD);
    let inner_first = wrapped(Shape::Plain, 17, false, MORE_FRAGMENTS, &datagram_bytes);
    let whole = ipv4(17, DONT_FRAGMENT, [CLIENT, SERVER], &datagram_bytes);
    let outer = tunnelled(&ethernet_v4(&whole));
    let outer_first = ethernet_v4(&fragment_of(&outer, MORE_FRAGMENTS));
    let outer_later = ethernet_v4(&fragment_of(&outer, 180));
    vec![
        path("new_tunnel", vec![], datagram(Shape::Plain), None),
        path("new_flow", known(), talk(Shape::Plain, 0), None),
        path("syn", known(), syn, None),
        path("echo_request", known(), echo(8), None),
        path("echo_reply", [known(), vec![echo(8)]].concat(), echo(0), None),
        path("first_fragment_inner", known(), inner_first, Some(240)),
        path("first_fragment_outer", known(), outer_first.clone(), Some(240)),
        path("later_fragment_outer", [known(), vec![outer_first]].concat(), outer_later, None),
        path("icmp_error", known(), icmp_error(), None),
    ]
}

/// An IPv4 packet as a fragment: with other flags and another offset.
fn fragment_of(packet: &[u8], flags: u16) -> Vec<u8> {
    let mut packet = packet.to_vec();
    packet[6..8].copy_from_slice(&flags.to_be_bytes());
    packet
}
