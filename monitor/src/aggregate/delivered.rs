//! Which lengths have arrived lately, one direction of a peer.

use std::collections::VecDeque;

/// Lengths are known in steps of so many bytes, rounded down.
pub(super) const STEP: u32 = 16;
/// What was longer ago says nothing about the way as it is.
const MEMORY_NS: u64 = 120_000_000_000;
/// A pause of so long may be an outage.
const PAUSE_NS: u64 = 2_500_000_000;

/// Each length with the time of the latest packet that was as long or longer: lengths fall, times rise.
#[derive(Default)]
pub(super) struct Delivered {
    skyline: VecDeque<(u32, u64)>,
    last_ns: u64,
    resumed_ns: u64,
}

impl Delivered {
    /// A packet of this length has arrived.
    pub(super) fn record(&mut self, length: u32, at_ns: u64) {
        if at_ns > self.last_ns + PAUSE_NS {
            self.resumed_ns = at_ns;
        }
        self.last_ns = self.last_ns.max(at_ns);
        while self.skyline.back().is_some_and(|(shorter, _)| *shorter <= length) {
            self.skyline.pop_back();
        }
        self.skyline.push_back((length, at_ns));
        while self.skyline.front().is_some_and(|(_, at)| at + MEMORY_NS < at_ns) {
            self.skyline.pop_front();
        }
    }

    /// The longest that has arrived after `at_ns`.
    pub(super) fn since(&self, at_ns: u64) -> Option<u32> {
        self.skyline.iter().find(|(_, at)| *at > at_ns).map(|(length, _)| *length)
    }

    /// For how long something has arrived again and again.
    pub(super) fn steady_for(&self, now_ns: u64) -> u64 {
        if now_ns > self.last_ns + PAUSE_NS { 0 } else { now_ns.saturating_sub(self.resumed_ns) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn the_longest_since_any_time_is_known() {
        let mut delivered = Delivered::default();
        for (length, at) in [(100, 10), (1500, 11), (600, 12), (300, 13), (300, 14)] {
            delivered.record(length, at * SECOND);
        }
        let since = [0, 11, 12, 13, 14].map(|at| delivered.since(at * SECOND));
        assert_eq!(since, [Some(1500), Some(600), Some(300), Some(300), None]);
        delivered.record(64, 140 * SECOND);
        assert_eq!(delivered.since(0), Some(64), "the rest is too old");
    }

    #[test]
    fn a_pause_begins_anew() {
        let mut delivered = Delivered::default();
        (10..20).for_each(|at| delivered.record(100, at * SECOND));
        assert_eq!(delivered.steady_for(19 * SECOND), 9 * SECOND);
        assert_eq!(delivered.steady_for(30 * SECOND), 0);
        delivered.record(100, 30 * SECOND);
        assert_eq!(delivered.steady_for(31 * SECOND), SECOND);
    }
}
