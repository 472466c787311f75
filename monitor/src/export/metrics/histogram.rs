//! A histogram of round-trip times in both of Prometheus's forms, from the kernel's buckets: native (schema 3), which they
//! are already, and classic, whose bounds are some of theirs. Nothing is resampled.

use crate::snapshot::{Buckets, Exemplar};

/// A histogram, with samples that stand for others.
pub(super) struct Histogram {
    /// Times, of all buckets.
    pub(super) count: u64,
    /// Their sum, in seconds.
    pub(super) sum: f64,
    /// Index and number of each native bucket that is not empty, ascending.
    pub(super) native: Vec<(i32, u64)>,
    /// Bounds and cumulative numbers, without `+Inf`.
    pub(super) classic: Vec<(f64, u64)>,
    /// Ascending by time.
    pub(super) exemplars: Vec<Exemplar>,
}

/// Buckets an octave of the kernel's buckets, and of Prometheus's schema 3.
const AN_OCTAVE: i32 = 8;
/// Powers of two that are classic bounds: 1.9 µs to 1 s.
pub(super) const CLASSIC: std::ops::RangeInclusive<i32> = -19..=0;
/// What is longer than all of the kernel's buckets is told in the next one: more than 4 s.
const LONGER: i32 = 2 * AN_OCTAVE + 1;

impl Histogram {
    /// The histogram of what was counted; `bounds` are powers of two.
    pub(super) fn new(
        buckets: &Buckets,
        sum: f64,
        exemplars: Vec<Exemplar>,
        bounds: impl Iterator<Item = i32>,
    ) -> Self {
        let mut native = buckets.buckets.clone();
        if buckets.longer != 0 {
            native.push((LONGER, buckets.longer));
        }
        let below = |index: i32| native.iter().take_while(|(own, _)| *own <= index).map(|(_, count)| count).sum();
        let classic = bounds.map(|power| (2f64.powi(power), below(power * AN_OCTAVE))).collect();
        Self { count: native.iter().map(|(_, count)| count).sum(), sum, native, classic, exemplars }
    }

    /// The exemplar of a classic bucket, between two bounds: the slowest.
    pub(super) fn exemplar(&self, above: f64, upto: f64) -> Option<&Exemplar> {
        self.exemplars.iter().rev().find(|exemplar| exemplar.seconds > above && exemplar.seconds <= upto)
    }

    /// The native buckets as spans (distance from the one before, length) and differences of their numbers.
    pub(super) fn spans(&self) -> (Vec<(i32, u32)>, Vec<i64>) {
        let (mut spans, mut deltas) = (Vec::<(i32, u32)>::new(), Vec::new());
        let (mut next, mut before) = (0, 0);
        for (index, count) in &self.native {
            match spans.last_mut() {
                Some((_, length)) if *index == next => *length += 1,
                _ => spans.push((index - next, 1)),
            }
            next = index + 1;
            deltas.push(count.cast_signed() - before);
            before = count.cast_signed();
        }
        (spans, deltas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram() -> Histogram {
        let buckets = Buckets { schema: 3, buckets: vec![(-160, 1), (-152, 2), (-151, 3), (-8, 4), (0, 5)], longer: 6 };
        Histogram::new(&buckets, 30.0, Vec::new(), CLASSIC)
    }

    #[test]
    fn classic_bounds_take_what_native_buckets_up_to_them_have() {
        let histogram = histogram();
        assert_eq!(histogram.count, 21);
        assert_eq!(histogram.classic[0], (2f64.powi(-19), 3));
        assert_eq!(histogram.classic[1], (2f64.powi(-18), 6));
        assert_eq!(histogram.classic[18], (0.5, 10));
        assert_eq!(histogram.classic[19], (1.0, 15));
    }

    #[test]
    fn native_buckets_are_spans_and_differences() {
        let (spans, deltas) = histogram().spans();
        assert_eq!(spans, [(-160, 1), (7, 2), (142, 1), (7, 1), (16, 1)]);
        assert_eq!(deltas, [1, 1, 1, 1, 1, 1]);
    }
}
