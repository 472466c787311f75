//! The packet inside the tunnel.

use std::net::IpAddr;

use monitor_common::packet::{Ip, Packet};
use monitor_common::wire::{Bytes, ethernet, tcp, udp};
use serde::Serialize;

use super::{Fragment, Icmp, dont_fragment, fragment, vlans};

#[derive(Serialize)]
pub(super) struct Inner {
    #[serde(flatten)]
    ethernet: Option<Ethernet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ethertype: Option<String>,
    #[serde(flatten)]
    ip: Option<InnerIp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<Tcp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp: Option<Icmp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bfd: Option<Bfd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arp: Option<Arp>,
}

#[derive(Serialize)]
struct Ethernet {
    src_mac: String,
    dst_mac: String,
    vlans: Vec<u16>,
}

#[derive(Serialize)]
struct InnerIp {
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    ip_length_bytes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    df: Option<bool>,
    fragment: Option<Fragment>,
}

#[derive(Serialize)]
struct Tcp {
    flags: String,
    seq: u32,
    ack: u32,
    payload_bytes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    mss_bytes: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tsval: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tsecr: Option<u32>,
}

#[derive(Serialize)]
struct Bfd {
    state: &'static str,
}

#[derive(Serialize)]
struct Arp {
    operation: u16,
}

pub(super) fn inner(packet: &Packet, bytes: &[u8]) -> Option<Inner> {
    let has_ip = packet.inner.version != 0;
    if packet.inner_ethernet == 0 && !has_ip {
        return None;
    }
    let has_transport = has_ip && packet.inner_payload != 0;
    let has_tcp = has_transport && packet.inner.protocol == tcp::PROTOCOL;
    let has_ports = has_tcp || (has_transport && packet.inner.protocol == udp::PROTOCOL);
    Some(Inner {
        ethernet: ethernet(packet, bytes),
        ethertype: (packet.inner_ethertype != 0).then(|| format!("0x{:04x}", packet.inner_ethertype)),
        ip: has_ip.then(|| ip(&packet.inner)),
        src_port: has_ports.then_some(packet.inner_source_port),
        dst_port: has_ports.then_some(packet.inner_destination_port),
        tcp: has_tcp.then(|| tcp(packet)),
        icmp: (packet.has_icmp != 0 && packet.has_geneve()).then(|| Icmp::new(packet, packet.inner.protocol)),
        bfd: (packet.has_bfd != 0).then(|| Bfd { state: bfd_state(packet.bfd_state) }),
        arp: (packet.arp_operation != 0).then_some(Arp { operation: packet.arp_operation }),
    })
}

fn ethernet(packet: &Packet, bytes: &[u8]) -> Option<Ethernet> {
    if packet.inner_ethernet == 0 {
        return None;
    }
    let header = ethernet::Ethernet(bytes.window::<{ ethernet::LENGTH }>(usize::from(packet.inner_ethernet))?);
    Some(Ethernet {
        src_mac: mac(header.source()),
        dst_mac: mac(header.destination()),
        vlans: vlans(&packet.inner_tags, packet.inner_tag_count),
    })
}

fn mac([a, b, c, d, e, f]: [u8; 6]) -> String {
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

fn ip(ip: &Ip) -> InnerIp {
    InnerIp {
        src: ip.source_ip(),
        dst: ip.destination_ip(),
        protocol: ip.protocol,
        ip_length_bytes: ip.length,
        df: dont_fragment(ip),
        fragment: fragment(ip),
    }
}

fn tcp(packet: &Packet) -> Tcp {
    let has_timestamps = packet.has_timestamps != 0;
    Tcp {
        flags: format!("0x{:03x}", packet.tcp_flags),
        seq: packet.sequence,
        ack: packet.acknowledgment,
        payload_bytes: packet.tcp_payload,
        mss_bytes: (packet.mss != 0).then_some(packet.mss),
        tsval: has_timestamps.then_some(packet.tsval),
        tsecr: has_timestamps.then_some(packet.tsecr),
    }
}

fn bfd_state(state: u8) -> &'static str {
    match state {
        0 => "admin_down",
        1 => "down",
        2 => "init",
        _ => "up",
    }
}
