//! The packets that every reader of frames should be shown, one of each kind.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::parts::{
    ACK, BFD_PORT, DOT1AD, DOT1Q, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, GENEVE_PORT, Geneve, ICMP, ICMP_V6,
    Ipv4, Ipv6, SYN, TCP, Tcp, UDP, arp, bfd, ethernet, extension, fragment_header, icmp, option, ovn_option,
    timestamps, udp,
};

const LOCAL: Ipv4Addr = Ipv4Addr::new(172, 31, 7, 1);
const PEER: Ipv4Addr = Ipv4Addr::new(172, 31, 7, 2);
const LOCAL_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x31, 7, 0, 0, 0, 0, 1);
const PEER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x31, 7, 0, 0, 0, 0, 2);
const POD: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const OTHER_POD: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// Twelve packets by name.
pub fn base_packets() -> Vec<(&'static str, Vec<u8>)> {
    let (syn, data, ping) = (segment(SYN, &SYN_OPTIONS, 0), segment(ACK, &timestamps(9, 8), 100), echo());
    vec![
        ("data_plain", v4(&[], &Geneve::new(100).over(&data))),
        ("data_ovn", v4(&[], &with_options(&ovn_option(11, 21)).over(&data))),
        ("syn_many_options", v4(&[], &with_options(&many_options()).over(&syn))),
        ("ping_tagged_twice", v4(&[(DOT1AD, 7), (DOT1Q, 3)], &Geneve::new(100).over(&ping))),
        ("data_over_ipv6", over_v6(&Geneve::new(100).over(&data))),
        ("ping6_behind_extensions", over_v6(&Geneve::new(100).over(&echo_v6()))),
        ("inner_tagged_arp", v4(&[], &Geneve::new(100).over(&ethernet(&[(DOT1Q, 5)], ETHERTYPE_ARP, &arp(1))))),
        ("bfd_up", v4(&[], &Geneve::new(0).over(&session()))),
        ("first_outer_fragment", fragment(0, &udp(50000, GENEVE_PORT, &Geneve::new(100).over(&data)))),
        ("later_outer_fragment", fragment(1480, &[0; 64])),
        ("icmp_error", router_error(&data)),
        ("ip_in_geneve", v4(&[], &Geneve { protocol: ETHERTYPE_IPV4, ..Geneve::new(100) }.over(&data[14..]))),
    ]
}

const SYN_OPTIONS: [u8; 20] = [2, 4, 5, 0x82, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7];

fn with_options(options: &[u8]) -> Geneve {
    Geneve { critical: true, options: options.to_vec(), ..Geneve::new(100) }
}

fn many_options() -> Vec<u8> {
    [option(0xffff, 1, &[]), option(0x0103, 0x7f, &[0xaa; 124]), ovn_option(11, 21), option(0x1234, 0x85, &[1; 8])]
        .concat()
}

fn v4(tags: &[(u16, u16)], payload: &[u8]) -> Vec<u8> {
    ethernet(tags, ETHERTYPE_IPV4, &Ipv4::new(LOCAL, PEER, UDP).over(&udp(50000, GENEVE_PORT, payload)))
}

fn over_v6(payload: &[u8]) -> Vec<u8> {
    ethernet(&[], ETHERTYPE_IPV6, &Ipv6::new(LOCAL_V6, PEER_V6, UDP).over(&udp(50000, GENEVE_PORT, payload)))
}

fn inner(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ethernet(&[], ETHERTYPE_IPV4, &Ipv4::new(POD, OTHER_POD, protocol).over(payload))
}

fn segment(flags: u16, options: &[u8], payload: usize) -> Vec<u8> {
    let (source, destination, options) = (40000, 443, options.to_vec());
    inner(TCP, &Tcp { source, destination, flags, options, ..Tcp::default() }.over(&vec![0; payload]))
}

fn echo() -> Vec<u8> {
    inner(ICMP, &icmp(8, 0, 7 << 16 | 1, &[0; 56]))
}

fn echo_v6() -> Vec<u8> {
    let mut ip = Ipv6::new(LOCAL_V6, PEER_V6, ICMP_V6);
    ip.extensions = vec![extension(0, 1), extension(60, 2), fragment_header(0, false, 7)];
    ethernet(&[], ETHERTYPE_IPV6, &ip.over(&icmp(128, 0, 7 << 16 | 1, &[0; 56])))
}

fn session() -> Vec<u8> {
    inner(UDP, &udp(49152, BFD_PORT, &bfd(3)))
}

fn fragment(offset: u16, payload: &[u8]) -> Vec<u8> {
    let mut ip = Ipv4::new(LOCAL, PEER, UDP);
    (ip.id, ip.dont_fragment, ip.more_fragments, ip.fragment_offset) = (7, false, offset == 0, offset);
    ethernet(&[], ETHERTYPE_IPV4, &ip.over(payload))
}

/// "Fragmentation needed", MTU 1400, from a router that quotes as much as fits.
fn router_error(data: &[u8]) -> Vec<u8> {
    let quoted = &v4(&[], &Geneve::new(100).over(data))[14..];
    let ip = Ipv4::new(Ipv4Addr::new(172, 31, 7, 254), LOCAL, ICMP);
    ethernet(&[], ETHERTYPE_IPV4, &ip.over(&icmp(3, 4, 1400, &quoted[..100])))
}
