//! Histograms of round-trip times on the boundaries of Prometheus's native histograms, schema 3: eight buckets an
//! octave, each bound 2^(1/8) times the one before it.
//!
//! A time is a number of ticks ([`crate::rtt::TICK_NS`]), and a bucket ends with the last tick that is not past its
//! bound, so each time has exactly one right bucket and finding it takes integers only. [`CELLS`] cuts the ticks into
//! pieces that contain one bound at most: a look-up and a comparison.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::rtt::{LEGS, Leg, METHODS, Method};

/// Buckets: the first takes all times up to 2^-20 s, the last all of more than 4 s (2^2 s).
pub const BUCKETS: usize = LIMITS.len() + 1;

/// The schema-3 index of the first bucket; a bucket's index is this plus its position. The last one has no bound.
pub const FIRST_INDEX: i32 = -160;

/// The number of times in each bucket. One histogram for each tunnel, leg, method and processor that had one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Histogram {
    /// Per bucket.
    pub buckets: [u64; BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [0; BUCKETS] }
    }
}

/// Index of a histogram that was not issued yet.
pub const NONE: u16 = 0;
/// Indexes below this are [`NONE`] and the histograms of what found none left.
pub const RESERVED: u32 = 1 + (LEGS * METHODS) as u32;

/// Index of the histogram that takes the times of a leg and method when a processor has none left to issue.
#[inline(always)]
pub fn shared(leg: Leg, method: Method) -> u16 {
    1 + leg as u16 * METHODS as u16 + method as u16
}

impl Histogram {
    /// Counts a time.
    #[inline(always)]
    pub fn count(&mut self, ticks: u32) {
        if let Some(bucket) = self.buckets.get_mut(bucket(ticks)) {
            *bucket += 1;
        }
    }

    /// Adds what another processor, or another tunnel, counted.
    pub fn merge(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(own, other)| *own += other);
    }

    /// Takes away what was counted before.
    pub fn subtract(&mut self, before: &Self) {
        self.buckets.iter_mut().zip(&before.buckets).for_each(|(own, before)| *own -= before);
    }

    /// Number of times.
    pub fn total(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// The bucket of a time.
#[inline(always)]
pub fn bucket(ticks: u32) -> usize {
    // Four bits a step, so that at least four are left behind the first one: less than a sixteenth between neighbours.
    let shift = match ticks {
        0..0x100 => 0,
        0x100..0x1000 => 4,
        0x1000..0x1_0000 => 8,
        0x1_0000..0x10_0000 => 12,
        0x10_0000..0x100_0000 => 16,
        0x100_0000..0x400_0000 => 20,
        0x400_0000.. => return BUCKETS - 1,
    };
    // The mask changes nothing; by it verifiers before 6.3 know that the cell is in the table.
    let cell = (shift as usize / 4) * STEP + (ticks >> shift & 0xff) as usize;
    let Some(entry) = CELLS.get(cell) else { return BUCKETS - 1 };
    (*entry as u32 & 0xff) as usize + usize::from(ticks > (*entry >> 32) as u32)
}

/// Cells of one step of four bits.
const STEP: usize = 256;

/// Per cell: in the upper half the limit of the bucket in which the cell begins, in the lower half that bucket.
static CELLS: [u64; 6 * STEP] = cells();

const fn cells() -> [u64; 6 * STEP] {
    let (mut cells, mut at, mut bucket) = ([0; 6 * STEP], 0, 0);
    while at < cells.len() {
        let (step, rest) = (at / STEP, (at % STEP) as u64);
        // Below 16 a cell of a higher step is not used.
        if step == 0 || rest >= 16 {
            let first = rest << (4 * step);
            if rest == 16 {
                bucket = 0;
            }
            while bucket < LIMITS.len() && (LIMITS[bucket] as u64) < first {
                bucket += 1;
            }
            let limit = if bucket < LIMITS.len() { LIMITS[bucket] } else { u32::MAX };
            cells[at] = (limit as u64) << 32 | bucket as u64;
        }
        at += 1;
    }
    cells
}

/// Per bucket but the last one the longest time that it takes, in ticks: the integer part of 2^(position / 8 − 20) s.
pub const LIMITS: [u32; 177] = limits();

/// 2^(n / 8) in units of 2^-96.
const ROOTS: [u128; 8] = [
    0x1_0000_0000_0000_0000_0000_0000,
    0x1_172b_83c7_d517_adcd_f7c8_c50e,
    0x1_306f_e0a3_1b71_52de_8d5a_4630,
    0x1_4bfd_ad53_62a2_71d4_397a_fec4,
    0x1_6a09_e667_f3bc_c908_b2fb_1366,
    0x1_8ace_5422_aa0d_b5ba_7c55_a192,
    0x1_ae89_f995_ad3a_d5e8_734d_1773,
    0x1_d581_8dcf_ba48_725d_a05a_eb66,
];

const fn limits() -> [u32; 177] {
    let (mut limits, mut at) = ([0; 177], 0);
    while at < limits.len() {
        // A second has 15 625 000 ticks, 24 bits; the root has 97, and 2^22 is the longest of the octaves.
        let scaled = ROOTS[at % 8] * 15_625_000;
        limits[at] = (scaled >> (96 + 20 - at / 8)) as u32;
        at += 1;
    }
    limits
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    /// `factor` multiplied `times` times, shifted to the left by `shift` bits: a number in digits of 32 bits, the lowest
    /// one first.
    fn power(factor: u32, times: u32, shift: usize) -> Vec<u32> {
        let mut digits = vec![0; 20];
        digits[shift / 32] = 1 << (shift % 32);
        for _ in 0..times {
            let mut carry = 0;
            for digit in &mut digits {
                let product = u64::from(*digit) * u64::from(factor) + carry;
                *digit = product as u32;
                carry = product >> 32;
            }
            assert_eq!(carry, 0);
        }
        digits
    }

    #[test]
    fn each_limit_is_the_last_tick_within_its_bound() {
        for (at, limit) in LIMITS.into_iter().enumerate() {
            // n ticks are at most 2^(at / 8 − 20) s when n^8 · 2^160 is at most (ticks a second)^8 · 2^at.
            let bound: Vec<u32> = power(15_625_000, 8, at).into_iter().rev().collect();
            let scaled = |ticks| power(ticks, 8, 160).into_iter().rev().collect::<Vec<u32>>();
            assert!(scaled(limit) <= bound && scaled(limit + 1) > bound, "limit {at} is {limit}");
        }
    }

    /// The bucket by definition.
    fn slow(ticks: u32) -> usize {
        LIMITS.iter().filter(|limit| **limit < ticks).count()
    }

    #[test]
    fn every_time_falls_into_its_bucket() {
        let around = LIMITS.iter().flat_map(|limit| limit.saturating_sub(2)..limit + 3);
        let steps = (0..6).flat_map(|step| (0..=256_u32).map(move |cell| cell << (4 * step)));
        let ends = steps.flat_map(|first| [first, first.saturating_sub(1)]);
        for ticks in (0..100_000).chain(around).chain(ends).chain([1 << 26, 1 << 30, u32::MAX]) {
            assert_eq!(bucket(ticks), slow(ticks), "{ticks} ticks");
        }
    }

    #[test]
    fn histograms_add_up() {
        let (mut one, mut other) = (Histogram::default(), Histogram::default());
        [1, 1000, 1000, u32::MAX].into_iter().for_each(|ticks| one.count(ticks));
        other.count(1000);
        one.merge(&other);
        assert_eq!((one.total(), one.buckets[bucket(1000)], one.buckets[BUCKETS - 1]), (5, 3, 1));
        one.subtract(&other);
        assert_eq!(one.total(), 4);
    }

    #[test]
    fn a_leg_and_a_method_have_a_shared_histogram_of_their_own() {
        let mut all: Vec<u16> =
            Leg::ALL.into_iter().flat_map(|leg| Method::ALL.map(|method| shared(leg, method))).collect();
        all.sort_unstable();
        assert_eq!(all, (1..RESERVED as u16).collect::<Vec<_>>());
    }
}
