//! One parsed frame as a `tunmon.packet/v1` record.
//!
//! A [`Packet`] holds what the pipeline needs; what only a reader of JSON wants (MAC addresses, the list of options,
//! the UDP length) is read from the frame's bytes again, at the packet's offsets and with the same decoders. A field
//! whose header was not read is left out or `null`, never 0.

mod geneve;
mod inner;

use std::net::IpAddr;

use monitor_common::packet::{Ip, Packet, Quote};
use monitor_common::wire::{Bytes, icmp, udp};
use serde::Serialize;

use crate::capture::Record;
use crate::inventory::Inventory;

/// The record of one frame; `serde_json` makes a line of it.
#[derive(Serialize)]
pub struct Line<'a> {
    schema: &'static str,
    frame: u64,
    ts_ns: u64,
    length_bytes: u32,
    captured_bytes: usize,
    class: &'static str,
    error: Option<String>,
    outer: Outer,
    #[serde(skip_serializing_if = "Option::is_none")]
    geneve: Option<geneve::Geneve>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ovn: Option<geneve::Ovn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner: Option<inner::Inner>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quote: Option<Quoted>,
}

/// The record of `packet`, which was parsed from `record`, frame number `frame` counted from 1.
pub fn line<'a>(packet: &Packet, record: &Record<'_>, frame: u64, names: &'a Inventory) -> Line<'a> {
    Line {
        schema: "tunmon.packet/v1",
        frame,
        ts_ns: record.timestamp_ns,
        length_bytes: packet.frame.length,
        captured_bytes: record.bytes.len(),
        class: packet.class().name(),
        error: error(packet),
        outer: outer(packet, record.bytes),
        geneve: packet.has_geneve().then(|| geneve::geneve(packet, record.bytes)),
        ovn: geneve::ovn(packet, names),
        inner: if packet.has_geneve() { inner::inner(packet, record.bytes) } else { None },
        quote: (packet.quote.ip.version != 0).then(|| quoted(&packet.quote)),
    }
}

/// Where the parse stopped, such as `not captured: inner tcp`; of a malformed packet `udp_length (invalid: outer udp)`.
fn error(packet: &Packet) -> Option<String> {
    let stop = packet.stop().map(|stop| {
        let [cause, layer, header] = stop.words();
        format!("{cause}: {layer} {header}")
    });
    match (packet.malformed(), stop) {
        (Some(reason), Some(stop)) => Some(format!("{} ({stop})", reason.name())),
        (Some(reason), None) => Some(reason.name().to_owned()),
        (None, stop) => stop,
    }
}

#[derive(Serialize)]
struct Outer {
    vlans: Vec<u16>,
    #[serde(flatten)]
    ip: Option<OuterIp>,
    #[serde(flatten)]
    udp: Option<Udp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp: Option<Icmp>,
    fragment: Option<Fragment>,
}

#[derive(Serialize)]
struct OuterIp {
    src: IpAddr,
    dst: IpAddr,
    ttl: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    df: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    ip_length_bytes: u32,
    protocol: u8,
}

#[derive(Serialize)]
struct Udp {
    src_port: u16,
    dst_port: u16,
    udp_length_bytes: u32,
    checksum_zero: bool,
}

fn outer(packet: &Packet, bytes: &[u8]) -> Outer {
    let has_icmp = packet.has_icmp != 0 && !packet.has_geneve();
    Outer {
        vlans: vlans(&packet.tags, packet.tag_count),
        ip: (packet.outer.version != 0).then(|| outer_ip(&packet.outer)),
        udp: udp(&packet.outer, bytes),
        icmp: has_icmp.then(|| Icmp::new(packet, packet.outer.protocol)),
        fragment: fragment(&packet.outer),
    }
}

fn outer_ip(ip: &Ip) -> OuterIp {
    OuterIp {
        src: ip.source_ip(),
        dst: ip.destination_ip(),
        ttl: ip.ttl,
        df: dont_fragment(ip),
        id: (ip.version == 4 || ip.is_fragment()).then_some(ip.id),
        ip_length_bytes: ip.length,
        protocol: ip.protocol,
    }
}

fn udp(ip: &Ip, bytes: &[u8]) -> Option<Udp> {
    if ip.version == 0 || ip.protocol != udp::PROTOCOL || ip.is_later_fragment() {
        return None;
    }
    let header = udp::Udp(bytes.window::<{ udp::LENGTH }>(usize::from(ip.payload))?);
    Some(Udp {
        src_port: header.source_port(),
        dst_port: header.destination_port(),
        udp_length_bytes: header.length(),
        checksum_zero: header.checksum() == 0,
    })
}

/// An ICMP or ICMPv6 header, outer or inner.
#[derive(Serialize)]
struct Icmp {
    #[serde(rename = "type")]
    kind: u8,
    code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtu_bytes: Option<u32>,
}

impl Icmp {
    /// The ICMP header of `packet`, carried by IP `protocol`; identifier and sequence number are known of an inner
    /// echo.
    fn new(packet: &Packet, protocol: u8) -> Self {
        let purpose = icmp::purpose(protocol, packet.icmp_type);
        let is_echo = packet.has_geneve() && matches!(purpose, icmp::Purpose::Request | icmp::Purpose::Reply);
        Self {
            kind: packet.icmp_type,
            code: packet.icmp_code,
            id: is_echo.then_some(packet.inner_source_port),
            sequence: is_echo.then_some(packet.sequence),
            mtu_bytes: (packet.icmp_mtu != 0).then_some(packet.icmp_mtu),
        }
    }
}

#[derive(Serialize)]
struct Fragment {
    position: &'static str,
    offset_bytes: u16,
    more: bool,
    id: u32,
}

fn fragment(ip: &Ip) -> Option<Fragment> {
    ip.is_fragment().then(|| Fragment {
        position: if ip.is_later_fragment() { "later" } else { "first" },
        offset_bytes: ip.fragment_offset,
        more: ip.more_fragments(),
        id: ip.id,
    })
}

/// "Don't fragment"; IPv6 has no such bit.
fn dont_fragment(ip: &Ip) -> Option<bool> {
    (ip.version == 4).then(|| ip.dont_fragment())
}

/// The VLAN ids of tags, outermost first.
fn vlans(tags: &[u16; 2], count: u8) -> Vec<u16> {
    tags.iter().take(usize::from(count)).map(|control| control & 0x0fff).collect()
}

/// The packet that an ICMP error quotes.
#[derive(Serialize)]
struct Quoted {
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vni: Option<u32>,
}

fn quoted(quote: &Quote) -> Quoted {
    let has_ports = quote.has_ports != 0;
    Quoted {
        src: quote.ip.source_ip(),
        dst: quote.ip.destination_ip(),
        protocol: quote.ip.protocol,
        src_port: has_ports.then_some(quote.source_port),
        dst_port: has_ports.then_some(quote.destination_port),
        vni: (quote.has_vni != 0).then_some(quote.vni),
    }
}

#[cfg(test)]
mod tests;
