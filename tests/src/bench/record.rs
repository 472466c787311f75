//! What was seen of each case.

use monitor::counts::Counts;
use monitor_common::packet::Class;

use super::case::{Hook, Path};
use super::executed::Executed;

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
    /// The peer with the first index on the path with the second one.
    Peer(usize, usize),
}

impl Subject {
    /// Index of its path.
    pub fn path(self) -> Option<usize> {
        match self {
            Self::Empty | Self::Twin => None,
            Self::Floor(path) | Self::Path(path) | Self::Baseline(path) | Self::Peer(_, path) => Some(path),
        }
    }
}

/// A run of the bench, before anybody has made sense of it.
pub struct Results {
    /// The paths that were measured.
    pub paths: Vec<Path>,
    /// What each path executes, per hook.
    pub executed: Vec<[Executed; 2]>,
    /// What the peers are called.
    pub peers: Vec<String>,
    /// What was seen.
    pub records: Vec<Record>,
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
    /// Packets sent, in the bursts that were looked at; so are all that follow.
    pub packets: u64,
    /// Packets that were counted as what the path says.
    pub counted: u64,
    /// RTT samples.
    pub matches: u64,
    /// Packets of which each was to be reported.
    pub reportable: u64,
    /// Events.
    pub events: u64,
}

impl Record {
    /// Nothing seen yet.
    pub fn new(hook: Hook, subject: Subject) -> Self {
        let (times_ns, burst, setup_ns) = (Vec::new(), 0, 0.0);
        let (packets, counted, matches, reportable, events) = (0, 0, 0, 0, 0);
        Self { hook, subject, times_ns, burst, setup_ns, packets, counted, matches, reportable, events }
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
