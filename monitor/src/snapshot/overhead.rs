//! What watching costs.

use serde::Serialize;

/// What watching cost, on all watched devices together: the programs and the reader are there once for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Overhead {
    /// tunmon's own work.
    pub daemon: Daemon,
    /// The programs in the kernel, if the kernel measured them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bpf: Option<Bpf>,
}

/// What the work in user space cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Daemon {
    /// Its share of a core; 1 is a whole one.
    pub core_share: f64,
}

/// What the programs cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bpf {
    /// The part of the time in which they were measured.
    pub measured_seconds: f64,
    /// At the hooks of received packets.
    pub ingress: HookCost,
    /// At the hooks of transmitted packets.
    pub egress: HookCost,
}

/// What the programs of one direction cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HookCost {
    /// Packets as the hook had them: a super-frame is one.
    pub runs: u64,
    /// The time that they took.
    pub run_seconds: f64,
    /// The time that one took, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_per_run: Option<f64>,
    /// The share of a core while they were measured; 1 is a whole one.
    pub core_share: f64,
}
