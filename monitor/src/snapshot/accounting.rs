//! What became of everything that was seen.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::counts::Issued;

/// Everything that was seen, by what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Accounting {
    /// Wire packets seen: the sum of all classes.
    pub seen: u64,
    /// Wire packets per class.
    pub classes: BTreeMap<&'static str, u64>,
    /// Malformed packets by reason.
    pub malformed: BTreeMap<&'static str, u64>,
    /// Later outer fragments: attributed to a VNI, or orphans.
    pub later_fragments: LaterFragments,
    /// Packets of `other` whose tunnel found no free slot in the kernel; the rest is beyond the bound of VNIs.
    pub untracked_packets: u64,
    /// The kernel's histograms; in a summary of a device only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histograms: Option<Histograms>,
    /// Flows that were remembered for round-trip times.
    pub flows: Flows,
    /// Events, by what became of them.
    pub events: Events,
    /// The same of each kind of events.
    pub events_by_kind: BTreeMap<&'static str, Events>,
}

/// Later outer fragments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LaterFragments {
    /// Their first one was remembered.
    pub attributed: u64,
    /// Their first one was not seen.
    pub orphan: u64,
}

/// The kernel's histograms of round-trip times, one for each tunnel, leg, method and processor that had one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Histograms {
    /// The most that a processor has.
    pub max: u32,
    /// Those in use, on the processor that uses most.
    pub used: u32,
    /// Matches that came when none was left; they are in the counts, and in no tunnel's buckets.
    pub shared_samples: u64,
}

impl From<Issued> for Histograms {
    fn from(issued: Issued) -> Self {
        Self { max: issued.most, used: issued.issued, shared_samples: issued.shared_samples }
    }
}

/// The table of flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flows {
    /// Flows that took a free entry.
    pub inserted: u64,
    /// Flows that took the entry of another one.
    pub evicted: u64,
}

/// Events: `wanted = submitted + ring_full + rate_limited`, `consumed = delivered + decode_errors`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Events {
    /// Events that something asked for.
    pub wanted: u64,
    /// Events put into the ring buffer.
    pub submitted: u64,
    /// Events that found it full.
    pub ring_full: u64,
    /// Events that came too soon after others.
    pub rate_limited: u64,
    /// Events taken out of the ring buffer.
    pub consumed: u64,
    /// Events handed on.
    pub delivered: u64,
    /// Records that are none of ours.
    pub decode_errors: u64,
}

impl Events {
    /// The sum of both.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            wanted: self.wanted + other.wanted,
            submitted: self.submitted + other.submitted,
            ring_full: self.ring_full + other.ring_full,
            rate_limited: self.rate_limited + other.rate_limited,
            consumed: self.consumed + other.consumed,
            delivered: self.delivered + other.delivered,
            decode_errors: self.decode_errors + other.decode_errors,
        }
    }
}
