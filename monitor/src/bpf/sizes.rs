//! Sizes of the tables, and the memory that they take.

use monitor_common::count::{Counters, DEVICES, Totals};
use monitor_common::event::{KINDS, Kind};
use monitor_common::flow::Bucket;
use monitor_common::fragment;
use monitor_common::histogram::{Histogram, RESERVED};
use monitor_common::rtt::{LEGS, METHODS};
use monitor_common::tunnel::{MAX_SLOTS, Tunnel};

use super::rings;

/// Bytes that the counters of all tunnels may take, over all possible processors.
const COUNTERS_BUDGET: usize = 16 << 20;
/// The same for the histograms, and the most that one processor has.
const HISTOGRAMS_BUDGET: usize = 28 << 20;
const HISTOGRAMS_MOST: u32 = 2944;

/// Sizes of the tables, fixed when the programs are loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Slots for tunnels.
    pub tunnels: u32,
    /// Histograms that a processor may issue.
    pub histograms: u32,
    /// Buckets of two flows.
    pub buckets: u32,
    /// Bytes of the ring buffer of each kind of events.
    pub ring_bytes: [u32; KINDS],
    /// Possible processors.
    pub processors: usize,
}

impl Sizes {
    /// The sizes for these bounds on `processors` possible processors.
    pub fn new(max_vnis: u32, max_peers: u32, max_flows: u32, processors: usize) -> Self {
        let affordable =
            |budget: usize, bytes: usize| u32::try_from(budget / (processors.max(1) * bytes)).unwrap_or(u32::MAX);
        let wanted = max_vnis.saturating_mul(max_peers).clamp(2, MAX_SLOTS).next_power_of_two();
        let tunnels = wanted.min(prev_power_of_two(affordable(COUNTERS_BUDGET, size_of::<Counters>()))).max(2);
        let most = HISTOGRAMS_MOST.min(tunnels * (LEGS * METHODS) as u32);
        Self {
            tunnels,
            histograms: affordable(HISTOGRAMS_BUDGET, size_of::<Histogram>()).min(most),
            buckets: (max_flows / 2).clamp(1, 1 << 24).next_power_of_two(),
            ring_bytes: Kind::ALL.map(|kind| rings::bytes(kind, processors)),
            processors,
        }
    }

    /// Memory of all tables, in bytes.
    pub fn bytes(&self) -> usize {
        // An entry of a hash map has 64 bytes, and its bucket 16.
        let shared = self.tunnels as usize * (size_of::<Tunnel>() + 80)
            + self.buckets as usize * size_of::<Bucket>()
            + fragment::SLOTS as usize * size_of::<u64>();
        let own = self.tunnels as usize * size_of::<Counters>()
            + (RESERVED + self.histograms) as usize * size_of::<Histogram>()
            + DEVICES as usize * size_of::<Totals>();
        shared + own * self.processors + self.ring_bytes.iter().sum::<u32>() as usize
    }
}

fn prev_power_of_two(number: u32) -> u32 {
    if number == 0 { 1 } else { 1 << number.ilog2() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_on_small_and_on_large_machines() {
        for (processors, bound) in [(2, 32 << 20), (128, 64 << 20)] {
            let sizes = Sizes::new(128, 256, 65536, processors);
            assert!(sizes.bytes() <= bound, "{processors}: {} bytes", sizes.bytes());
            assert!(sizes.histograms >= 128, "{processors}: {} histograms", sizes.histograms);
            assert!(sizes.tunnels >= 512, "{processors}: {} tunnels", sizes.tunnels);
        }
    }

    #[test]
    fn sizes_are_powers_of_two_whatever_is_asked_for() {
        for asked in [0, 1, 3, 1000, u32::MAX] {
            let sizes = Sizes::new(asked, asked, asked, 3);
            assert!(sizes.tunnels.is_power_of_two() && sizes.tunnels >= 2 && sizes.tunnels <= MAX_SLOTS);
            assert!(sizes.buckets.is_power_of_two());
        }
    }
}
