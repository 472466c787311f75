//! Going on where an earlier run has stopped.

use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use monitor_common::event::KINDS;

use super::session::{Session, boot_time};
use super::watched::Watched;
use crate::bpf::Kernel;
use crate::clock;

/// Goes on with the counts of an earlier run: intervals begin now, the whole began then. Returns the records that it has
/// left in the rings, and how long ago counting began.
pub(super) fn resume(kernel: &Kernel, devices: &mut [Watched]) -> Result<([u64; KINDS], Duration)> {
    let indexes: Vec<u32> = devices.iter().map(|device| device.device.index).collect();
    let backlog = kernel.backlog(&indexes)?;
    let Some(began) = kernel.began_ns() else { return Ok((backlog.records, Duration::ZERO)) };
    for (device, consumed) in devices.iter_mut().zip(backlog.consumed) {
        device.consumed = consumed;
        device.aggregate.was_blind(clock::since_boot_ns());
        let counts = kernel.counts(device.device.index)?.settled();
        device.aggregate.update(&counts);
        device.aggregate.interval(&counts, &device.consumed, 0.0);
    }
    let began = boot_time() + SignedDuration::from_nanos(began.cast_signed());
    Ok((backlog.records, Timestamp::now().duration_since(began).try_into().unwrap_or_default()))
}

impl Session {
    /// The time in which was counted, with that of an earlier run.
    pub(super) fn seconds(&self) -> f64 {
        (self.before + self.started.elapsed()).as_secs_f64()
    }
}
