//! Frames, built from the inside out.
//!
//! Tunnel endpoints 172.31.7.1 and .2, pods 10.0.0.1 and 10.200.0.1, the client's port 1024 and the server's 443: what
//! the driver also writes. Checksums are 0, since nothing here reads them.

/// Address of the node whose pod asks.
pub const NODE: [u8; 4] = [172, 31, 7, 1];
/// Address of the node whose pod answers.
pub const PEER: [u8; 4] = [172, 31, 7, 2];
/// Address of the pod that asks.
pub const CLIENT: [u8; 4] = [10, 0, 0, 1];
/// Address of the pod that answers.
pub const SERVER: [u8; 4] = [10, 200, 0, 1];

/// Flags of a TCP SYN.
pub const SYN: u8 = 0x02;
/// Flags of a TCP segment with data.
pub const ACK_PUSH: u8 = 0x18;

const PAYLOAD: [u8; 64] = [0x5a; 64];
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// An Ethernet frame.
pub fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1], &ethertype.to_be_bytes()[..], payload].concat()
}

/// An Ethernet frame that carries IPv4.
pub fn ethernet_v4(packet: &[u8]) -> Vec<u8> {
    ethernet(IPV4, packet)
}

/// An Ethernet frame that carries IPv6.
pub fn ethernet_v6(packet: &[u8]) -> Vec<u8> {
    ethernet(IPV6, packet)
}

/// An IPv4 packet; `fragment` is its word of flags and offset.
pub fn ipv4(protocol: u8, fragment: u16, ends: [[u8; 4]; 2], payload: &[u8]) -> Vec<u8> {
    let length = (20 + payload.len() as u16).to_be_bytes();
    let fragment = fragment.to_be_bytes();
    let start = [0x45, 0, length[0], length[1], 0, 7, fragment[0], fragment[1], 64, protocol, 0, 0];
    [&start[..], &ends[0], &ends[1], payload].concat()
}

/// An IPv6 packet whose addresses end in `ends`.
pub fn ipv6(next_header: u8, ends: [[u8; 4]; 2], payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    let prefix = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let start = [0x60, 0, 0, 0, length[0], length[1], next_header, 64];
    [&start[..], &prefix, &ends[0], &prefix, &ends[1], payload].concat()
}

/// A UDP datagram.
pub fn udp(ports: [u16; 2], payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len() as u16).to_be_bytes();
    [&ports[0].to_be_bytes()[..], &ports[1].to_be_bytes(), &length, &[0, 0], payload].concat()
}

/// A TCP segment.
pub fn tcp(flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let offset = ((20 + options.len() as u8) / 4) << 4;
    let start = [4, 0, 1, 187, 0, 0, 1, 0, 0, 0, 2, 0, offset, flags, 1, 0, 0, 0, 0, 0];
    [&start[..], options, payload].concat()
}

/// The timestamps option where Linux puts it.
pub fn timestamps(tsval: u32, tsecr: u32) -> Vec<u8> {
    [&[1, 1, 8, 10][..], &tsval.to_be_bytes(), &tsecr.to_be_bytes()].concat()
}

/// An ICMP message.
pub fn icmp(kind: u8, code: u8, rest: [u8; 4], payload: &[u8]) -> Vec<u8> {
    [&[kind, code, 0, 0][..], &rest, payload].concat()
}

/// Geneve, without UDP; `start` holds version and option length, the flags, and the protocol type.
pub fn geneve(start: [u8; 4], options: &[u8], payload: &[u8]) -> Vec<u8> {
    [&start[..], &[0, 3, 232, 0], options, payload].concat()
}

/// A tunnel packet as an IPv4 packet.
pub fn tunnelled(inner: &[u8]) -> Vec<u8> {
    let geneve = geneve([0, 0, 0x65, 0x58], &[], inner);
    ipv4(17, 0x4000, [NODE, PEER], &udp([40_000, 6081], &geneve))
}

/// A frame with an IPv4 packet of the client's pod in a tunnel.
fn inner_v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ethernet_v4(&tunnelled(&ethernet_v4(&ipv4(protocol, 0x4000, [CLIENT, SERVER], payload))))
}

/// TCP outside of any tunnel.
pub fn plain_tcp() -> Vec<u8> {
    ethernet_v4(&ipv4(6, 0x4000, [NODE, PEER], &tcp(ACK_PUSH, &timestamps(1, 1), &PAYLOAD)))
}

/// UDP outside of any tunnel.
pub fn plain_udp() -> Vec<u8> {
    ethernet_v4(&ipv4(17, 0x4000, [NODE, PEER], &udp([40_000, 53], &PAYLOAD)))
}

/// ARP.
pub fn arp() -> Vec<u8> {
    ethernet(0x0806, &[&[0, 1, 8, 0, 6, 4, 0, 1][..], &[0; 38]].concat())
}

/// UDP in a tunnel.
pub fn tunnel_udp() -> Vec<u8> {
    inner_v4(17, &udp([1024, 443], &PAYLOAD))
}

/// A TCP segment with data and timestamps in a tunnel.
pub fn tunnel_tcp() -> Vec<u8> {
    inner_v4(6, &tcp(ACK_PUSH, &timestamps(5000, 4999), &PAYLOAD))
}

/// A TCP SYN with the options of Linux in a tunnel.
pub fn tunnel_syn() -> Vec<u8> {
    let options = [2, 4, 5, 130, 4, 2, 8, 10, 0, 0, 19, 136, 0, 0, 0, 0, 1, 3, 3, 7];
    inner_v4(6, &tcp(SYN, &options, &[]))
}

/// An ICMP echo request in a tunnel.
pub fn tunnel_echo() -> Vec<u8> {
    inner_v4(1, &icmp(8, 0, [0, 9, 0, 1], &PAYLOAD))
}

/// A router's "fragmentation needed" that quotes a tunnel packet.
pub fn icmp_error() -> Vec<u8> {
    let quoted = tunnelled(&ethernet_v4(&ipv4(17, 0x4000, [CLIENT, SERVER], &udp([1024, 443], &PAYLOAD))));
    ethernet_v4(&ipv4(1, 0, [[172, 31, 0, 1], NODE], &icmp(3, 4, [0, 0, 5, 120], &quoted)))
}
