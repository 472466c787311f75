//! Metrics in the forms that Prometheus scrapes: what there is of them, and how they are written.
//!
//! ```text
//! Exposed, Inventory, … ─▶ fill ─▶ families ─▶ text 0.0.4, OpenMetrics 1.0, protobuf
//! ```
//! Families are made anew of one moment's data for each scrape, so scrapes share nothing. The table of all metrics is
//! [`catalogue`]; docs/metrics.md is made of it.

mod accounting;
pub mod catalogue;
mod community_id;
mod family;
mod format;
mod histogram;
mod names;
mod number;
mod process;
mod protobuf;
mod text;
mod traffic;

use std::sync::Arc;

use jiff::Timestamp;

use crate::findings::{Finding, Raised};
use crate::inventory::Inventory;
use crate::snapshot::Exposed;

pub use family::{Families, Family};
pub use format::{Format, negotiate};
pub use process::Process;

/// All that is exported of one moment.
pub struct Moment {
    /// When tunmon began to watch.
    pub started: Timestamp,
    /// The devices.
    pub devices: Vec<DeviceMoment>,
    /// Names.
    pub names: Arc<Inventory>,
    /// tunmon's own process.
    pub process: Process,
    /// Tunnels and flows that the kernel's tables have room for.
    pub room: Room,
    /// What the moment of events' time 0 is in the time of the day.
    pub offset: Timestamp,
    /// The time that it took to gather all this.
    pub gather_seconds: f64,
    /// Whether the classic histograms of peers have all their buckets.
    pub has_peer_buckets: bool,
}

/// Tables of the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Room {
    /// Tunnels with a place.
    pub tunnels: usize,
    /// The most.
    pub tunnels_max: usize,
    /// The most flows.
    pub flows_max: usize,
}

/// One device of a moment.
pub struct DeviceMoment {
    /// Its counts.
    pub exposed: Exposed,
    /// Hooks that are attached: of received and of transmitted packets.
    pub hooks: Option<[&'static str; 2]>,
    /// The time in which nothing was attached.
    pub blind_seconds: f64,
    /// Findings that are not over.
    pub active: Vec<Finding>,
    /// How often findings were raised.
    pub raised: Vec<Raised>,
}

/// All metrics of a moment.
pub fn families(moment: &Moment) -> Families {
    let mut families = Families::default();
    for device in &moment.devices {
        let labels = traffic::Labels::new(device, moment);
        traffic::fill(&mut families, device, &labels);
        accounting::fill(&mut families, device, &labels);
    }
    names::fill(&mut families, &moment.names, moment);
    process::fill(&mut families, moment);
    families
}
