//! What was seen of each case.

use monitor::counts::Counts;
use monitor_common::packet::Class;

use super::case::Hook;

/// What runs in a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The empty program.
    Empty,
    /// The empty program a second time.
    Twin,
    /// The driver with the empty program, for the path with this index.
    Floor(usize),
    /// The path with this index.
    Path(usize),
    /// The C baseline on the path with this index.
    Baseline(usize),
}

impl Subject {
    /// Index of its path.
    pub fn path(self) -> Option<usize> {
        match self {
            Self::Empty | Self::Twin => None,
            Self::Floor(path) | Self::Path(path) | Self::Baseline(path) => Some(path),
        }
    }
}

/// What the program's own counters have come to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Packets of the path's class.
    pub counted: u64,
    /// RTT samples.
    pub matches: u64,
}

/// A subject at a hook and what was seen of it.
pub struct Record {
    /// Hook.
    pub hook: Hook,
    /// Subject.
    pub subject: Subject,
    /// Nanoseconds a packet, by round.
    pub times_ns: Vec<f64>,
    /// Packets in a burst.
    pub burst: u32,
    /// Nanoseconds that a burst takes besides its packets.
    pub setup_ns: f64,
    /// Packets sent.
    pub packets: u64,
    /// Packets that were counted as what the path says.
    pub counted: u64,
    /// RTT samples.
    pub matches: u64,
}

impl Record {
    /// Nothing seen yet.
    pub fn new(hook: Hook, subject: Subject) -> Self {
        Self { hook, subject, times_ns: Vec::new(), burst: 0, setup_ns: 0.0, packets: 0, counted: 0, matches: 0 }
    }
}

impl Seen {
    /// What the programs under test counted of a class at a hook.
    pub fn of(counts: &Counts, hook: Hook, class: Class) -> Self {
        let matches = counts.tunnels.iter().flat_map(|tracked| tracked.counters.matches.as_flattened());
        Self {
            counted: counts.totals.classes[hook.direction().index()][class as usize],
            matches: matches.map(|matches| matches.count).sum(),
        }
    }
}
