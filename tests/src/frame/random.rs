//! Frames by chance: mostly sound tunnel packets of a few endpoints, networks and conversations, so that tunnels and
//! flows exist and packets find their answers; seldom anything that a parser must survive.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::parts::{
    ACK, BFD_PORT, DOT1AD, DOT1Q, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Extension, FIN, GENEVE_PORT, Geneve,
    ICMP, ICMP_V6, Ipv4, Ipv6, PUSH, RST, SYN, TCP, Tcp, UDP, arp, bfd, ethernet, extension, fragment_header, icmp, ip,
    option, ovn_option, timestamps, udp,
};
use super::rng::Rng;

/// A frame that a node might see.
pub fn random_frame(rng: &mut Rng) -> Vec<u8> {
    rng.frames += 1;
    match rng.below(20) {
        0 => {
            let length = rng.below(120);
            rng.bytes(length)
        }
        1 => underlay_error(rng),
        2 => stranger(rng),
        _ => {
            let (ethertype, packet) = tunnel(rng);
            ethernet(&tags(rng), ethertype, &packet)
        }
    }
}

fn endpoint(is_v6: bool, number: u8) -> IpAddr {
    if is_v6 {
        Ipv6Addr::new(0xfd00, 0x31, 7, 0, 0, 0, 0, number.into()).into()
    } else {
        Ipv4Addr::new(172, 31, 7, number).into()
    }
}

fn host(is_v6: bool, number: u8) -> IpAddr {
    if is_v6 {
        Ipv6Addr::new(0xfd10, 0, 0, 0, 0, 0, 0, number.into()).into()
    } else {
        Ipv4Addr::new(10, 0, 0, number).into()
    }
}

fn tags(rng: &mut Rng) -> Vec<(u16, u16)> {
    let count = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 3][rng.below(16)];
    (0..count).map(|_| (rng.pick(&[DOT1Q, DOT1AD]), rng.number() as u16)).collect()
}

/// An IP packet with, seldom, options, extension headers or fragmentation, and its ethertype.
fn wrap(rng: &mut Rng, source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> (u16, Vec<u8>) {
    if !rng.once_in(16) {
        return ip(source, destination, protocol, payload);
    }
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut header = Ipv4::new(source, destination, protocol);
            header.id = rng.below(4) as u16;
            header.dont_fragment = rng.once_in(2);
            if rng.once_in(2) {
                header.more_fragments = rng.once_in(2);
                header.fragment_offset = rng.pick(&[0, 0, 8, 1480]);
            } else {
                let words = rng.below(11);
                header.options = rng.bytes(4 * words);
            }
            (ETHERTYPE_IPV4, header.over(payload))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut header = Ipv6::new(source, destination, protocol);
            header.extensions = (0..rng.below(8)).map(|_| random_extension(rng)).collect();
            (ETHERTYPE_IPV6, header.over(payload))
        }
        _ => ip(source, destination, protocol, payload),
    }
}

fn random_extension(rng: &mut Rng) -> Extension {
    if rng.once_in(3) {
        fragment_header(rng.pick(&[0, 0, 1448]), rng.once_in(2), rng.below(4) as u32)
    } else {
        extension(rng.pick(&[0, 43, 60]), 1 + rng.below(3) as u8)
    }
}

/// A tunnel packet, and its ethertype.
fn tunnel(rng: &mut Rng) -> (u16, Vec<u8>) {
    let is_v6 = rng.once_in(4);
    let peer = rng.pick(&[2, 2, 3]);
    let (source, destination) = if rng.once_in(2) { (1, peer) } else { (peer, 1) };
    let port = if rng.once_in(30) { rng.number() as u16 } else { GENEVE_PORT };
    let mut geneve = Geneve::new(rng.pick(&[1, 2, 3, 4, 1000, 0xff_ffff]));
    geneve.options = options(rng);
    geneve.critical = !geneve.options.is_empty() && rng.once_in(2);
    geneve.control = rng.once_in(50);
    geneve.version = if rng.once_in(50) { 1 } else { 0 };
    let (protocol, payload) = inner(rng);
    geneve.protocol = if rng.once_in(50) { rng.number() as u16 } else { protocol };
    let datagram = udp(0xc000 + rng.below(4) as u16, port, &geneve.over(&payload));
    wrap(rng, endpoint(is_v6, source), endpoint(is_v6, destination), UDP, &datagram)
}

fn options(rng: &mut Rng) -> Vec<u8> {
    match rng.below(8) {
        0..=3 => vec![],
        4..=6 => ovn_option(1 + rng.below(4) as u16, rng.number() as u16),
        _ => {
            let count = rng.below(5);
            let one = |rng: &mut Rng| {
                let data = 4 * rng.pick(&[0, 1, 1, 2, 10]);
                option(rng.pick(&[0x0102, 0x0103, 0xffff]), rng.number() as u8, &rng.bytes(data))
            };
            (0..count).flat_map(|_| one(rng)).collect()
        }
    }
}

/// What Geneve carries, with its protocol type.
fn inner(rng: &mut Rng) -> (u16, Vec<u8>) {
    let (ethertype, packet) = if rng.once_in(20) { (ETHERTYPE_ARP, arp(1 + rng.below(2) as u16)) } else { pod(rng) };
    if rng.once_in(20) {
        return (ethertype, packet);
    }
    let tags = if rng.once_in(10) { tags(rng) } else { vec![] };
    let mut frame = ethernet(&tags, ethertype, &packet);
    if rng.once_in(10) {
        // Short frames are padded, and the padding is no part of the packet.
        frame.resize(frame.len() + rng.below(12), 0);
    }
    (super::parts::TRANSPARENT_ETHERNET, frame)
}

/// A packet between two of three pods.
fn pod(rng: &mut Rng) -> (u16, Vec<u8>) {
    let is_v6 = rng.once_in(4);
    let forth = rng.once_in(2);
    let (source, destination) = if forth { (host(is_v6, 1), host(is_v6, 2)) } else { (host(is_v6, 2), host(is_v6, 1)) };
    let (protocol, payload) = match rng.below(16) {
        0..=10 => (TCP, segment(rng, forth)),
        11 | 12 => (if is_v6 { ICMP_V6 } else { ICMP }, echo(rng, is_v6)),
        13 => (UDP, datagram(rng)),
        14 => (if is_v6 { ICMP_V6 } else { ICMP }, pod_error(rng, is_v6)),
        _ => (rng.number() as u8, rng.bytes(12)),
    };
    wrap(rng, source, destination, protocol, &payload)
}

fn segment(rng: &mut Rng, forth: bool) -> Vec<u8> {
    let (client, server) = (40000 + rng.below(3) as u16, 443);
    let (source, destination) = if forth { (client, server) } else { (server, client) };
    let flags = match rng.below(24) {
        0 | 1 => SYN,
        2 | 3 => SYN | ACK,
        4 => FIN | ACK,
        5 => rng.pick(&[RST, RST | ACK, FIN, 0]),
        6..=9 => PUSH | ACK,
        _ => ACK,
    };
    let clock = (u32::MAX - 50).wrapping_add(rng.frames / 4);
    let (tsval, tsecr) = (clock.wrapping_add(rng.below(3) as u32), clock.wrapping_sub(rng.below(4) as u32));
    let options = match rng.below(16) {
        0 => vec![],
        1 => [vec![2, 4, 5, 0xb4, 4, 2, 8, 10], timestamps(tsval, tsecr)[4..].to_vec(), vec![1, 3, 3, 7]].concat(),
        2 => [vec![1], timestamps(tsval, tsecr)].concat(),
        3 => {
            let count = rng.below(41);
            rng.bytes(count)
        }
        _ => timestamps(tsval, tsecr),
    };
    let (sequence, acknowledgment) = (5000 + rng.below(3) as u32, 5001 + rng.below(3) as u32);
    let payload = [0, 0, 1, 40][rng.below(4)];
    Tcp { source, destination, sequence, acknowledgment, flags, options }.over(&vec![0; payload])
}

fn echo(rng: &mut Rng, is_v6: bool) -> Vec<u8> {
    let kinds = if is_v6 { [128, 129] } else { [8, 0] };
    let sequence = rng.frames / 32 % 1000 + rng.below(2) as u32;
    icmp(rng.pick(&kinds), 0, 7 << 16 | sequence, &[0; 24])
}

fn datagram(rng: &mut Rng) -> Vec<u8> {
    if rng.once_in(2) { udp(49152, BFD_PORT, &bfd(rng.below(4) as u8)) } else { udp(5353, 5353, &[0; 30]) }
}

/// An error of the overlay, which quotes a packet of a pod.
fn pod_error(rng: &mut Rng, is_v6: bool) -> Vec<u8> {
    let quoted = Tcp { source: 40000, destination: 443, flags: ACK, ..Tcp::default() }.over(&[0; 40]);
    error(rng, is_v6, &ip(host(is_v6, 1), host(is_v6, 2), TCP, &quoted).1)
}

/// An error message about `packet`, which it quotes in part.
fn error(rng: &mut Rng, is_v6: bool, packet: &[u8]) -> Vec<u8> {
    let quoted = &packet[..packet.len().min(28 + rng.below(80))];
    if is_v6 { icmp(rng.pick(&[1, 2, 3]), 0, 1400, quoted) } else { icmp(rng.pick(&[3, 11]), 4, 1400, quoted) }
}

/// A router's error about a tunnel packet.
fn underlay_error(rng: &mut Rng) -> Vec<u8> {
    let (ethertype, packet) = tunnel(rng);
    let is_v6 = ethertype == ETHERTYPE_IPV6;
    let message = error(rng, is_v6, &packet);
    let protocol = if is_v6 { ICMP_V6 } else { ICMP };
    let (ethertype, packet) = wrap(rng, endpoint(is_v6, 254), endpoint(is_v6, 1), protocol, &message);
    ethernet(&tags(rng), ethertype, &packet)
}

/// A frame that is no tunnel's.
fn stranger(rng: &mut Rng) -> Vec<u8> {
    let (source, destination) = (endpoint(false, 9), endpoint(false, 1));
    let (ethertype, packet) = match rng.below(4) {
        0 => (ETHERTYPE_ARP, arp(1)),
        1 => (rng.number() as u16, rng.bytes(60)),
        2 => {
            let segment = Tcp { source: 6081, destination: 6081, flags: ACK, ..Tcp::default() }.over(&[0; 20]);
            wrap(rng, source, destination, TCP, &segment)
        }
        _ => wrap(rng, source, destination, UDP, &udp(GENEVE_PORT, 53, &[0; 20])),
    };
    ethernet(&tags(rng), ethertype, &packet)
}

/// Damages a frame in one to three places.
pub fn mutate(rng: &mut Rng, frame: &mut Vec<u8>) {
    for _ in 0..1 + rng.below(3) {
        if frame.is_empty() {
            return;
        }
        let at = rng.below(frame.len());
        match rng.below(8) {
            0 | 1 => frame[at] ^= 1 << rng.below(8),
            2 => frame[at] = rng.pick(&[0, 1, 0x45, 0x46, 0x60, 0x7f, 0x80, 0xff]),
            3 => frame[at] = rng.number() as u8,
            4 => frame[at] = frame[at].wrapping_add(rng.pick(&[1, 4, 8, 0xff, 0xfc, 0xf8])),
            5 => frame.truncate(at),
            6 => drop(frame.drain(at..frame.len().min(at + 1 + rng.below(8)))),
            _ => {
                let (count, value) = (rng.below(16), rng.number() as u8);
                frame.splice(at..at, vec![value; count]);
            }
        }
    }
}
