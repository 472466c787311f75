//! Options of `probe`.

use std::net::IpAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;

/// Options of `probe`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = MORE_OF_PROBE)]
pub struct Probe {
    /// IP address of the other tunnel endpoint.
    pub peer: IpAddr,
    /// What is sent; auto = UDP from several source ports, echo if no datagram is answered.
    #[arg(long, value_enum, default_value = "auto")]
    pub method: Method,
    /// UDP source ports, each a flow of its own to routers that spread traffic by ports (ECMP).
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=32))]
    pub flows: u8,
    /// UDP port of the peer on which nothing listens; never one of a tunnel.
    #[arg(long, value_name = "PORT", default_value_t = 33_434, value_parser = clap::value_parser!(u16).range(1..))]
    pub udp_port: u16,
    /// Largest packet, in bytes with the IP header; default: the MTU of the route's device.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(68..=65_535))]
    pub max: Option<u32>,
    /// What the tunnel adds to an inner packet, in bytes; default: 58 over IPv4 and 78 over IPv6, as OVN's Geneve does.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub overhead: Option<u32>,
    /// Packets that are sent at most.
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_packets: u32,
    /// Time after which it ends with what is known by then.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub timeout: Duration,
}

/// What a probe sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// UDP; echo if no datagram is answered.
    Auto,
    /// UDP to a closed port; the peer answers "port unreachable". Needs no privileges. Tests the way there only.
    Udp,
    /// ICMP echo; one flow, there and back.
    Icmp,
}

/// What `probe --help` says at its end.
const MORE_OF_PROBE: &str = "\
Sizes are lengths of outer IP packets, with DF set whatever the kernel has learned of the path. A size passes when the \
peer answers a packet of it. It fails when three packets of it are not answered while packets one byte shorter are, \
before and behind; or when a router refuses it by ICMP. The first packets are short ones (576 bytes; IPv6: 1280), so that \
a peer that is down is told from a path that is small.

Linux sends one \"port unreachable\" a second (IPv6: ten), so a small path takes UDP some seconds; a whole one, milliseconds.

It tests the underlay and not the switch: nothing is sent to a tunnel's port. The way back is another path: probe from \
both ends.

Examples:
  tunmon probe 192.0.2.2                      can the underlay carry whole packets to this node?
  tunmon probe 192.0.2.2 --flows 16           more source ports, for more paths
  tunmon probe 192.0.2.2 --method icmp        where the peer's filter drops UDP
  tunmon probe 192.0.2.2 -o json | jq .path_mtu_bytes

Exit codes: 0 the largest size passes in every flow; 1 no answer, no route, or not enough answers to judge; 2 wrong \
usage; 3 a path takes less; 4 no right to send echo requests";
