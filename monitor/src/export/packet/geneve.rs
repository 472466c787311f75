//! The Geneve header, its options, and what OVN says in one of them.

use std::fmt::Write;

use monitor_common::packet::Packet;
use monitor_common::wire::Bytes;
use monitor_common::wire::geneve::{LENGTH, OPTION_LENGTH, OptionHeader, ovn_ports};
use serde::Serialize;

use crate::inventory::{Inventory, Name};

#[derive(Serialize)]
pub(super) struct Geneve {
    version: u16,
    control: bool,
    critical: bool,
    protocol: String,
    vni: u32,
    /// From the outer IP header to the inner one.
    #[serde(skip_serializing_if = "Option::is_none")]
    overhead_bytes: Option<u16>,
    options_bytes: u16,
    /// Those that are whole.
    options: Vec<Opt>,
}

#[derive(Serialize)]
struct Opt {
    class: String,
    #[serde(rename = "type")]
    kind: String,
    critical: bool,
    data: String,
}

pub(super) fn geneve(packet: &Packet, bytes: &[u8]) -> Geneve {
    Geneve {
        version: packet.geneve_first >> 14,
        control: packet.control(),
        critical: packet.critical(),
        protocol: format!("0x{:04x}", packet.geneve_protocol),
        vni: packet.vni,
        overhead_bytes: (packet.overhead() != 0).then(|| packet.overhead()),
        options_bytes: (packet.geneve_first >> 8 & 0x3f) * 4,
        options: options(packet, bytes),
    }
}

/// As many options as the parser accepted, up to one whose data was not captured.
fn options(packet: &Packet, bytes: &[u8]) -> Vec<Opt> {
    let mut offset = usize::from(packet.geneve_offset) + LENGTH;
    let (end_of_all, mut options) = (offset + usize::from(packet.options_length), vec![]);
    while offset < end_of_all {
        let Some(window) = bytes.window::<OPTION_LENGTH>(offset) else { break };
        let header = OptionHeader(window);
        let end = offset + header.length();
        if end > end_of_all {
            break;
        }
        let Some(data) = bytes.get(offset + OPTION_LENGTH..end) else { break };
        options.push(Opt {
            class: format!("0x{:04x}", header.class()),
            kind: format!("0x{:02x}", header.kind()),
            critical: header.kind() & 0x80 != 0,
            data: hex(data),
        });
        offset = end;
    }
    options
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// OVN's logical ports. Both keys are of the datapath that is the VNI (ovn-architecture(7), "Tunnel Encapsulations").
#[derive(Serialize)]
pub(super) struct Ovn<'a> {
    ingress_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    ingress_name: Option<&'a Name>,
    egress_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    egress_name: Option<&'a Name>,
}

pub(super) fn ovn<'a>(packet: &Packet, names: &'a Inventory) -> Option<Ovn<'a>> {
    let (ingress_port, egress_port) = ovn_ports(packet.ovn_ports);
    let name = |key| names.port(packet.vni, key);
    (packet.has_ovn != 0).then(|| Ovn {
        ingress_port,
        ingress_name: name(ingress_port),
        egress_port,
        egress_name: name(egress_port),
    })
}
