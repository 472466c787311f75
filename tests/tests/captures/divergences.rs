//! Where tunmon and tshark 4.0.17 read a frame differently, and why tunmon is right or as right.

use std::collections::BTreeSet;

/// Frames of a capture whose columns differ for one reason.
pub(crate) struct Divergence {
    capture: &'static str,
    frames: &'static [u64],
    columns: &'static [&'static str],
    #[expect(dead_code, reason = "it is for readers")]
    reason: &'static str,
}

/// All of them.
pub(crate) const DIVERGENCES: &[Divergence] = &[
    Divergence {
        capture: "base_packets",
        frames: &[3],
        columns: &["opt_data"],
        reason: "an option without data (RFC 8926 §3.5, Length 0): the table says <MISSING>, tunmon says nothing",
    },
    Divergence {
        capture: "base_packets",
        frames: &[6],
        columns: &["o_ipid", "o_mf", "o_fragoff"],
        reason: "only the inner IPv6 packet has a fragment header; the table gives it to the outer one too",
    },
    Divergence {
        capture: "ovs_inner_frags",
        frames: &[16, 17, 19, 20, 22, 23, 25, 26],
        columns: &["i_proto"],
        reason: "a later IPv6 fragment: the table has the next header of the fixed header (44), tunmon what the \
            fragment header names, the first header of the fragmentable part (RFC 8200 §4.5)",
    },
    Divergence {
        capture: "ovs_outer_frags_node1",
        frames: &[10, 12, 16, 18],
        columns: &["icmp_seq"],
        reason: QUOTED_ECHO,
    },
    Divergence {
        capture: "ovs_oversize_df_icmp",
        frames: &[12, 18, 24, 33],
        columns: &["icmp_seq"],
        reason: QUOTED_ECHO,
    },
    Divergence {
        capture: "scapy_edge_cases",
        frames: &[6],
        columns: &[
            "i_esrc",
            "i_edst",
            "i_src",
            "i_dst",
            "i_proto",
            "i_len",
            "i_df",
            "i_mf",
            "i_fragoff",
            "icmp_type",
            "icmp_code",
            "icmp_seq",
        ],
        reason: "version 1: \"Packets received by a tunnel endpoint with an unknown version MUST be dropped\" \
            (RFC 8926 §3.4), so what follows has no known meaning; tshark goes on as if it were version 0",
    },
    Divergence {
        capture: "scapy_edge_cases",
        frames: &[8],
        columns: &["class"],
        reason: "240 bytes of options in a packet of 16: an endpoint cannot accept it (RFC 8926 §3.4, Opt Len); the \
            table calls everything geneve that has a VNI",
    },
    Divergence { capture: "tcpdump_bigtcp-ipv4-geneve-ipv4", frames: &[1], columns: &ANY_BIG_TCP, reason: BIG_TCP },
    Divergence { capture: "tcpdump_bigtcp-ipv4-geneve-ipv4", frames: &[1], columns: &INNER_IPV4, reason: BIG_TCP },
    Divergence { capture: "tcpdump_bigtcp-ipv4-geneve-ipv6", frames: &[1], columns: &ANY_BIG_TCP, reason: BIG_TCP },
    Divergence { capture: "tcpdump_bigtcp-ipv6-geneve-ipv4", frames: &[1], columns: &ANY_BIG_TCP, reason: BIG_TCP },
    Divergence { capture: "tcpdump_bigtcp-ipv6-geneve-ipv4", frames: &[1], columns: &INNER_IPV4, reason: BIG_TCP },
    Divergence { capture: "tcpdump_bigtcp-ipv6-geneve-ipv4", frames: &[1], columns: &OUTER_IPV6, reason: BIG_TCP },
    Divergence { capture: "tcpdump_bigtcp-ipv6-geneve-ipv6", frames: &[1], columns: &ANY_BIG_TCP, reason: BIG_TCP },
    Divergence { capture: "tcpdump_bigtcp-ipv6-geneve-ipv6", frames: &[1], columns: &OUTER_IPV6, reason: BIG_TCP },
    Divergence {
        capture: "tcpdump_geneve-gcp",
        frames: &[1],
        columns: &["opt_data"],
        reason: "tshark dissects Google's options by name, and the table has the data of unknown options only",
    },
    Divergence {
        capture: "zeek_geneve-arp",
        frames: &[1],
        columns: &["arp_op"],
        reason: "ARP right behind Geneve, without Ethernet: tunmon understands Ethernet, IPv4 and IPv6 there, and \
            calls the rest opaque",
    },
    Divergence {
        capture: "zeek_geneve-truncated",
        frames: &[1],
        columns: &["class"],
        reason: "the outer IP length ends the packet behind the option, so the inner Ethernet header that the protocol \
            type announces is missing; the table calls everything geneve that has a VNI",
    },
    Divergence {
        capture: "zeek_geneve-vxlan-dns-truncated",
        frames: &[1, 2],
        columns: &["i_esrc", "i_edst", "i_sport", "i_dport"],
        reason: "VXLAN inside Geneve: the table has the ports and MAC addresses of the innermost packet, tunmon those \
            of the packet right inside Geneve",
    },
];

const QUOTED_ECHO: &str =
    "an ICMP error has no sequence number; the table has the one of the echo that it quotes (RFC 792)";

const BIG_TCP: &str = "a Linux super-frame of more than 64 KiB, whose IP and UDP lengths are 0: tshark 4.0.17 does not \
    look into it, tunmon takes what the frame holds";

/// What tshark leaves out of any such frame.
const ANY_BIG_TCP: [&str; 22] = [
    "class",
    "o_udpcsum",
    "gnv_ver",
    "gnv_oam",
    "gnv_crit",
    "gnv_ptype",
    "vni",
    "optbytes",
    "i_esrc",
    "i_edst",
    "i_src",
    "i_dst",
    "i_proto",
    "i_len",
    "i_sport",
    "i_dport",
    "tcp_flags",
    "tcp_seq",
    "tcp_ack",
    "tcp_len",
    "tsval",
    "tsecr",
];

/// What it leaves out besides when the inner packet is IPv4.
const INNER_IPV4: [&str; 3] = ["i_df", "i_mf", "i_fragoff"];

/// And when the outer packet is IPv6.
const OUTER_IPV6: [&str; 4] = ["o_iplen", "o_sport", "o_dport", "o_udplen"];

/// Capture, frame and column of a divergence.
pub(crate) type Place = (&'static str, u64, &'static str);

/// The divergence that covers a difference.
pub(crate) fn find(capture: &str, frame: u64, column: &str) -> Option<Place> {
    all().into_iter().find(|place| (place.0, place.1, place.2) == (capture, frame, column))
}

/// Every place that a divergence covers.
pub(crate) fn all() -> BTreeSet<Place> {
    let places = |entry: &'static Divergence| {
        let columns = |frame: &'static u64| entry.columns.iter().map(|column| (entry.capture, *frame, *column));
        entry.frames.iter().flat_map(columns)
    };
    DIVERGENCES.iter().flat_map(places).collect()
}
