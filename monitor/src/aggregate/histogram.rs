//! A histogram of nanoseconds to three digits that takes memory only for the values that came.
//!
//! Values below 2048 have a place each; above, each power of two has 1024 places. Thousands of VNIs with a few samples
//! each are as usual as one with a million, so places are a sorted list, and new samples wait in a short one to be
//! merged into it.

/// Places of a power of two, as an exponent.
const DIGITS: u32 = 10;
/// Samples that wait before they are merged.
const WAITING: usize = 512;

/// A histogram; 2^37 ns and more count as 2^37.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    /// Place and number of samples, ascending.
    counts: Vec<(u16, u32)>,
    waiting: Vec<u16>,
}

impl Histogram {
    /// Takes a sample.
    pub(super) fn record(&mut self, nanoseconds: u64) {
        self.waiting.push(place(nanoseconds));
        if self.waiting.len() >= WAITING {
            self.settle();
        }
    }

    /// Takes all samples of another one, which is empty then.
    pub(super) fn take(&mut self, other: &mut Self) {
        other.settle();
        if self.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        self.settle();
        self.merge(&other.counts);
        other.counts.clear();
    }

    /// Says whether there is no sample.
    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.waiting.is_empty()
    }

    /// Settled samples.
    pub(super) fn len(&self) -> u64 {
        self.counts.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// Least value and largest value of all settled samples, as exact as a place is.
    pub(super) fn extremes(&self) -> Option<(u64, u64)> {
        Some((first_value(self.counts.first()?.0), last_value(self.counts.last()?.0)))
    }

    /// The values that these parts of all settled samples do not exceed; the parts ascend.
    pub(super) fn quantiles<const N: usize>(&self, parts: [f64; N]) -> [u64; N] {
        let length = self.len();
        let (mut counts, mut seen, mut at) = (self.counts.iter(), 0, 0);
        parts.map(|part| {
            let wanted = ((part * length as f64).ceil() as u64).max(1);
            while seen < wanted {
                let Some((place, count)) = counts.next() else { break };
                (seen, at) = (seen + u64::from(*count), *place);
            }
            last_value(at)
        })
    }

    /// Merges the samples that wait.
    pub(super) fn settle(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        self.waiting.sort_unstable();
        let counts: Vec<(u16, u32)> = self.waiting.chunk_by(u16::eq).map(|run| (run[0], run.len() as u32)).collect();
        self.waiting.clear();
        self.merge(&counts);
    }

    fn merge(&mut self, other: &[(u16, u32)]) {
        if self.counts.is_empty() {
            self.counts.extend_from_slice(other);
            return;
        }
        let mut merged = Vec::with_capacity(self.counts.len().max(other.len()));
        let (mut own, mut other) = (self.counts.iter().copied().peekable(), other.iter().copied().peekable());
        loop {
            match (own.peek(), other.peek()) {
                (Some(a), Some(b)) if a.0 == b.0 => {
                    merged.push((a.0, a.1.saturating_add(b.1)));
                    own.next();
                    other.next();
                }
                (Some(a), Some(b)) if a.0 > b.0 => merged.extend(other.next()),
                (Some(_), _) => merged.extend(own.next()),
                (None, Some(_)) => merged.extend(other.next()),
                (None, None) => break,
            }
        }
        self.counts = merged;
    }
}

/// The place of a value.
fn place(nanoseconds: u64) -> u16 {
    let value = nanoseconds.min(1 << 37);
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(DIGITS + 1);
    ((shift << DIGITS) + (value >> shift) as u32) as u16
}

/// The least value at a place.
fn first_value(place: u16) -> u64 {
    let shift = (u32::from(place) >> DIGITS).saturating_sub(1);
    (u64::from(place) - u64::from(shift << DIGITS)) << shift
}

/// The largest value at a place.
fn last_value(place: u16) -> u64 {
    first_value(place + 1) - 1
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram as Reference;

    use super::*;

    /// Numbers that look random, of all sizes up to 2^37.
    fn values(number: usize) -> impl Iterator<Item = u64> {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        std::iter::repeat_with(move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 27) >> (seed % 36)
        })
        .take(number)
    }

    #[test]
    fn it_answers_as_a_known_histogram_of_three_digits_does() {
        let mut reference = Reference::<u32>::new_with_bounds(1, 1 << 38, 3).unwrap();
        let (mut whole, mut part) = (Histogram::default(), Histogram::default());
        for (number, value) in values(20_000).enumerate() {
            reference.record(value).unwrap();
            part.record(value);
            if number % 700 == 0 {
                whole.take(&mut part);
            }
        }
        whole.take(&mut part);
        assert_eq!((whole.len(), part.is_empty()), (20_000, true));
        assert_eq!(whole.extremes(), Some((reference.min(), reference.max())));
        let parts = [0.001, 0.5, 0.9, 0.99, 0.999, 1.0];
        assert_eq!(whole.quantiles(parts), parts.map(|part| reference.value_at_quantile(part)));
    }

    #[test]
    fn samples_that_wait_are_settled_first() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.is_empty(), histogram.extremes()), (true, None));
        histogram.record(1000);
        histogram.record(3);
        assert_eq!((histogram.is_empty(), histogram.len()), (false, 0));
        histogram.settle();
        assert_eq!((histogram.len(), histogram.extremes()), (2, Some((3, 1000))));
        assert_eq!(histogram.quantiles([0.5, 1.0]), [3, 1000]);
    }

    #[test]
    fn places_lie_side_by_side_and_hold_three_digits() {
        for place_of in 0..place(u64::MAX) {
            let (first, last) = (first_value(place_of), last_value(place_of));
            assert_eq!((place(first), place(last), first_value(place_of + 1)), (place_of, place_of, last + 1));
            assert!((last - first) * 1000 <= first.max(1000));
        }
    }
}
