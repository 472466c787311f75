//! What the programs cost, as the kernel itself measures it while `kernel.bpf_stats_enabled` is set.
//!
//! The kernel accounts a run to the program that the hook calls, and the steps behind it are part of that run: a tail
//! call is a jump, not a call. So the entry programs have it all, and the steps' own figures stay 0.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use monitor_common::frame::Direction;

use super::Kernel;

/// Says whether all runs of BPF programs are measured.
const SETTING: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// What the programs of one direction have cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Runs that were measured.
    pub runs: u64,
    /// The time that they took.
    pub time: Duration,
}

impl Cost {
    /// What was added since `before`.
    pub fn since(&self, before: &Self) -> Self {
        Self { runs: self.runs - before.runs, time: self.time - before.time }
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self { runs: self.runs + other.runs, time: self.time + other.time }
    }
}

impl Kernel {
    /// What the programs of a direction have cost so far, on all devices together.
    pub fn cost(&self, direction: Direction) -> Result<Cost> {
        let entries: &[&str] = match direction {
            Direction::Rx => &["tunmon_xdp", "tunmon_xdp_frag", "tunmon_tc_rx"],
            Direction::Tx => &["tunmon_tc_tx"],
        };
        let mut sum = Cost::default();
        for name in entries.iter().filter(|name| self.features.xdp_frags || **name != "tunmon_xdp_frag") {
            let program = self.ebpf.program(name).with_context(|| format!("program {name}"))?;
            let info = program.info().with_context(|| format!("what program {name} cost"))?;
            sum = sum.plus(&Cost { runs: info.run_count(), time: info.run_time() });
        }
        Ok(sum)
    }
}

/// Says whether the kernel measures every run, by its setting. A process that asks for it by itself (BPF_ENABLE_STATS)
/// does not show there.
pub fn is_measured() -> bool {
    fs::read_to_string(SETTING).is_ok_and(|text| text.trim() == "1")
}
