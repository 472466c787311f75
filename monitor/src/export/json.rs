//! JSON lines: one object a line, its schema first.

mod event;

use std::net::IpAddr;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use crate::bpf::Features;
use crate::findings::Finding;
use crate::inventory::{Inventory, Kind, Source, Switch};
use crate::snapshot::Snapshot;

pub use event::Event;

/// Schema of the first line.
pub const START: &str = "tunmon.start/v1";
/// Schema of what becomes of a device.
pub const DEVICE: &str = "tunmon.device/v1";
/// Schema of what becomes of a source of names.
pub const SOURCE: &str = "tunmon.source/v1";
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
    /// Where metrics and the rest are served over HTTP.
    pub listens: Vec<String>,
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
    /// Whether the sizes of received packets are judged: behind generic XDP they are those of merged ones.
    pub size_rules: bool,
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

/// How a source of names is.
#[derive(Serialize)]
pub struct SourceRecord<'a> {
    /// The source.
    #[serde(flatten)]
    pub source: &'a Source,
    /// How old is what it tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<f64>,
    /// Of the node's switch: what it says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switch: Option<&'a Switch>,
}

impl<'a> SourceRecord<'a> {
    /// How a source of these names is now.
    pub fn new(source: &'a Source, names: &'a Inventory) -> Self {
        let age = |synced: Timestamp| Timestamp::now().duration_since(synced).as_secs_f64().max(0.0);
        let switch = if source.kind == Kind::Ovs { names.switch() } else { None };
        Self { source, age_seconds: source.synced.map(age), switch }
    }
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
