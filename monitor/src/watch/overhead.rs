//! What watching costs: the programs, by the kernel's own statistics, and this thread. Everything that watches is done on
//! it; what else the process does, such as the demo's traffic, is not.
//!
//! The statistics may be turned on and off while tunmon runs. What is measured between two readings counts only if they
//! were on at the first one, so that a share of a core is never of a time that was measured in part.

use std::time::{Duration, Instant};

use anyhow::Result;
use monitor_common::frame::Direction;

use crate::bpf::Kernel;
use crate::bpf::cost::{self, Cost};
use crate::clock;
use crate::snapshot::{Bpf, Daemon, HookCost, Overhead};

/// Costs from one moment to another.
#[derive(Clone, Copy, Default)]
struct Span {
    wall: Duration,
    daemon: Duration,
    /// The part of `wall` in which the programs were measured.
    measured: Duration,
    /// Per direction.
    programs: [Cost; 2],
}

/// Reads the costs, time after time.
pub(super) struct Meter {
    at: Instant,
    daemon: Duration,
    programs: [Cost; 2],
    seen: u64,
    is_on: bool,
    whole: Span,
}

impl Meter {
    /// Begins now.
    pub(super) fn new(kernel: &Kernel) -> Result<Self> {
        let (at, daemon, programs) = (Instant::now(), clock::of_thread(), programs(kernel)?);
        Ok(Self { at, daemon, programs, seen: 0, is_on: cost::is_measured(), whole: Span::default() })
    }

    /// What the time since the last call cost; `seen` are all packets so far.
    pub(super) fn interval(&mut self, kernel: &Kernel, seen: u64) -> Result<Overhead> {
        Ok(overhead(&self.advance(kernel, seen)?))
    }

    /// What the time since the beginning cost.
    pub(super) fn whole(&mut self, kernel: &Kernel, seen: u64) -> Result<Overhead> {
        self.advance(kernel, seen)?;
        Ok(overhead(&self.whole))
    }

    /// What the time until the last call cost.
    pub(super) fn so_far(&self) -> Overhead {
        overhead(&self.whole)
    }

    fn advance(&mut self, kernel: &Kernel, seen: u64) -> Result<Span> {
        let (at, daemon, programs) = (Instant::now(), clock::of_thread(), programs(kernel)?);
        let mut span = Span { wall: at - self.at, daemon: daemon - self.daemon, ..Span::default() };
        let was_on = self.is_on;
        // Statistics that another process asked for show only by what they measure.
        self.is_on = cost::is_measured() || programs != self.programs || was_on && seen == self.seen;
        if was_on && self.is_on {
            span.measured = span.wall;
            span.programs = [0, 1].map(|direction: usize| programs[direction].since(&self.programs[direction]));
        }
        (self.at, self.daemon, self.programs, self.seen) = (at, daemon, programs, seen);
        self.whole = self.whole.plus(&span);
        Ok(span)
    }
}

impl Span {
    fn plus(&self, other: &Self) -> Self {
        Self {
            wall: self.wall + other.wall,
            daemon: self.daemon + other.daemon,
            measured: self.measured + other.measured,
            programs: [0, 1].map(|direction: usize| self.programs[direction].plus(&other.programs[direction])),
        }
    }
}

fn programs(kernel: &Kernel) -> Result<[Cost; 2]> {
    Ok([kernel.cost(Direction::Rx)?, kernel.cost(Direction::Tx)?])
}

fn overhead(span: &Span) -> Overhead {
    let [ingress, egress] = span.programs.map(|cost| HookCost {
        runs: cost.runs,
        run_seconds: cost.time.as_secs_f64(),
        seconds_per_run: (cost.runs != 0).then(|| cost.time.as_secs_f64() / cost.runs as f64),
        core_share: share(cost.time, span.measured),
    });
    let measured_seconds = span.measured.as_secs_f64();
    let bpf = (measured_seconds > 0.0).then_some(Bpf { measured_seconds, ingress, egress });
    Overhead { daemon: Daemon { core_share: share(span.daemon, span.wall) }, bpf }
}

fn share(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(measured: u64, runs: [u64; 2]) -> Span {
        let programs = runs.map(|runs| Cost { runs, time: Duration::from_nanos(40 * runs) });
        let seconds = Duration::from_secs;
        Span { wall: seconds(4), daemon: Duration::from_millis(8), measured: seconds(measured), programs }
    }

    #[test]
    fn shares_are_of_the_time_that_was_measured() {
        let cost = overhead(&span(2, [1_000_000, 0]));
        let bpf = cost.bpf.unwrap();
        assert_eq!((bpf.measured_seconds, bpf.ingress.runs, bpf.ingress.run_seconds), (2.0, 1_000_000, 0.04));
        assert_eq!((bpf.ingress.core_share, bpf.ingress.seconds_per_run), (0.02, Some(4e-8)));
        assert_eq!((bpf.egress.core_share, bpf.egress.seconds_per_run), (0.0, None));
        assert_eq!(cost.daemon.core_share, 0.002);
    }

    #[test]
    fn without_statistics_nothing_is_said_of_the_programs() {
        assert_eq!(overhead(&span(0, [0, 0])).bpf, None);
    }
}
