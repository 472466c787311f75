//! JSON lines: one object a line, its schema first.

use std::net::IpAddr;
use std::path::PathBuf;

use monitor_common::event::{self, Any};
use monitor_common::frame::Direction;
use monitor_common::tunnel::Tunnel;
use serde::Serialize;

use crate::bpf::Features;
use crate::findings::Finding;
use crate::snapshot::Snapshot;

/// Schema of the first line.
pub const START: &str = "tunmon.start/v1";
/// Schema of what becomes of a device.
pub const DEVICE: &str = "tunmon.device/v1";
/// Schema of a finding.
pub const FINDING: &str = "tunmon.finding/v1";
/// Schema of a report.
pub const INTERVAL: &str = "tunmon.interval/v1";
/// Schema of what fits through to a peer.
pub const MTU: &str = "tunmon.mtu/v1";
/// Schema of a raw event.
pub const EVENT: &str = "tunmon.event/v1";
/// Schema of the last line.
pub const SUMMARY: &str = "tunmon.summary/v1";

/// A record: schema and time (RFC 3339), then what it is about.
#[derive(Serialize)]
pub struct Record<'a, T> {
    /// Name and version of its shape.
    pub schema: &'a str,
    /// Its time.
    pub ts: String,
    /// What it is about.
    #[serde(flatten)]
    pub body: T,
}

/// What is being watched.
#[derive(Serialize)]
pub struct Start {
    /// Version of tunmon.
    pub version: &'static str,
    /// Release of the running kernel.
    pub kernel: String,
    /// What it has of that which not all kernels have.
    pub features: Features,
    /// Rights that are kept, because this kernel asks for them when a device comes back.
    pub capabilities: Vec<String>,
    /// Where links and maps are pinned, if they stay when tunmon ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pins: Option<PathBuf>,
    /// With pins: whether the counts of an earlier run go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed: Option<bool>,
    /// Memory of the kernel's tables.
    pub table_bytes: usize,
    /// Tunnels (device, local address, peer, VNI) that have room in them.
    pub tunnels_max: u32,
    /// Flows that have room in them.
    pub flows_max: u32,
    /// The devices.
    pub devices: Vec<StartDevice>,
}

/// One device that is being watched.
#[derive(Serialize)]
pub struct StartDevice {
    /// Its name.
    pub device: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Its MTU.
    pub mtu_bytes: u32,
    /// Hook of received packets.
    pub ingress: &'static str,
    /// Hook of transmitted packets.
    pub egress: &'static str,
    /// Better hooks that were passed over, with the reason.
    pub refused: Vec<String>,
}

/// What has become of a device.
#[derive(Serialize)]
pub struct DeviceChange<'a> {
    /// Its name, before it was renamed.
    pub device: &'a str,
    /// `lost`, `attached`, `refused`, `renamed` or `resized`.
    pub state: &'static str,
    /// Why, or to what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a str>,
    /// Its MTU.
    pub mtu_bytes: u32,
    /// Hook of received packets, while one is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<&'static str>,
    /// Hook of transmitted packets, while one is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<&'static str>,
    /// Better hooks that were passed over, with the reason.
    pub refused: &'a [String],
    /// The time since the start in which nothing was seen of it.
    pub blind_seconds: f64,
}

/// The last line: the whole run in the shape of an interval, and the findings.
#[derive(Serialize)]
pub struct Summary<'a> {
    /// The whole run.
    #[serde(flatten)]
    pub snapshot: &'a Snapshot,
    /// Findings of the run.
    pub findings: &'a [Finding],
}

/// A raw event.
#[derive(Serialize)]
pub struct Event<'a> {
    kind: &'static str,
    device: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vni: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<Endpoint>,
    #[serde(flatten)]
    detail: Detail,
}

#[derive(Serialize)]
struct Endpoint {
    ip: IpAddr,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Detail {
    Rtt {
        leg: &'static str,
        method: &'static str,
        rtt_seconds: f64,
        inner: Inner,
    },
    Fragment {
        direction: &'static str,
        src: IpAddr,
        dst: IpAddr,
        id: u32,
        ip_length_bytes: u32,
        offset_bytes: u16,
        more: bool,
    },
    IcmpError {
        direction: &'static str,
        reporter: IpAddr,
        src: IpAddr,
        dst: IpAddr,
        #[serde(rename = "type")]
        kind: u8,
        code: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        mtu_bytes: Option<u32>,
        quoted_bytes: u32,
        quoted_ip_length_bytes: u32,
        quoted_df: bool,
    },
}

#[derive(Serialize)]
struct Inner {
    src: IpAddr,
    src_port: u16,
    dst: IpAddr,
    dst_port: u16,
    protocol: u8,
}

impl<'a> Event<'a> {
    /// An event on `device`, with its tunnel if it has one.
    pub fn new(event: &Any, device: &'a str, tunnel: Option<&Tunnel>) -> Self {
        let peer = tunnel.map(|tunnel| Endpoint { ip: tunnel.peer().ip() });
        let vni = tunnel.map(Tunnel::vni);
        match event {
            Any::Rtt(rtt) => Self { kind: event::Kind::Rtt.name(), device, vni, peer, detail: rtt_detail(rtt) },
            Any::Fragment(fragment) => Self {
                kind: event::Kind::Fragment.name(),
                device,
                vni,
                peer,
                detail: Detail::Fragment {
                    direction: direction(fragment.direction),
                    src: fragment.source.ip(),
                    dst: fragment.destination.ip(),
                    id: fragment.id,
                    ip_length_bytes: fragment.length,
                    offset_bytes: fragment.offset,
                    more: fragment.more != 0,
                },
            },
            Any::IcmpError(error) => Self {
                kind: event::Kind::IcmpError.name(),
                device,
                vni: (error.has_vni != 0).then_some(error.vni),
                peer: Some(Endpoint { ip: quoted_peer(error) }),
                detail: icmp_detail(error),
            },
        }
    }
}

fn rtt_detail(rtt: &event::Rtt) -> Detail {
    Detail::Rtt {
        leg: rtt.leg().name(),
        method: rtt.method().name(),
        rtt_seconds: rtt.rtt_ns as f64 / 1e9,
        inner: Inner {
            src: rtt.source.ip(),
            src_port: rtt.source_port,
            dst: rtt.destination.ip(),
            dst_port: rtt.destination_port,
            protocol: rtt.protocol,
        },
    }
}

fn icmp_detail(error: &event::IcmpError) -> Detail {
    Detail::IcmpError {
        direction: direction(error.direction),
        reporter: error.reporter.ip(),
        src: error.source.ip(),
        dst: error.destination.ip(),
        kind: error.kind,
        code: error.code,
        mtu_bytes: (error.mtu != 0).then_some(error.mtu),
        quoted_bytes: error.quoted,
        quoted_ip_length_bytes: error.quoted_length,
        quoted_df: error.quoted_df != 0,
    }
}

/// The other end of the quoted packet: of an error that we send ourselves, its source.
fn quoted_peer(error: &event::IcmpError) -> IpAddr {
    match event::direction(error.direction) {
        Direction::Rx => error.destination.ip(),
        Direction::Tx => error.source.ip(),
    }
}

fn direction(index: u8) -> &'static str {
    match event::direction(index) {
        Direction::Rx => "rx",
        Direction::Tx => "tx",
    }
}
