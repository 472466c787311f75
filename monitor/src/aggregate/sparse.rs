//! Values and how often they came, in memory for those alone.
//!
//! Thousands of VNIs with a few samples each are as usual as one with a million, and a histogram's array has a place for
//! every value that might come. So values wait here, a sorted list and a short one of new ones that is merged into it,
//! until hdrhistogram is asked about them. They are those that it tells apart: [`super::samples`] rounds them.

/// Values that wait before they are merged.
const WAITING: usize = 512;

/// Values and their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Sparse {
    /// Ascending.
    counts: Vec<(u32, u32)>,
    waiting: Vec<u32>,
}

impl Sparse {
    /// Takes a value.
    pub(super) fn add(&mut self, value: u32) {
        self.waiting.push(value);
        if self.waiting.len() >= WAITING {
            self.settle();
        }
    }

    /// Takes all values of another one, which is empty then.
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

    /// Says whether there is no value.
    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.waiting.is_empty()
    }

    /// All settled values and their numbers.
    pub(super) fn counts(&self) -> &[(u32, u32)] {
        &self.counts
    }

    /// Merges the values that wait.
    pub(super) fn settle(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        self.waiting.sort_unstable();
        let counts: Vec<(u32, u32)> = self.waiting.chunk_by(u32::eq).map(|run| (run[0], run.len() as u32)).collect();
        self.waiting.clear();
        self.merge(&counts);
    }

    fn merge(&mut self, other: &[(u32, u32)]) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_counted_together_in_order() {
        let (mut whole, mut part) = (Sparse::default(), Sparse::default());
        for round in 0..3 {
            (0..1000).rev().for_each(|value| part.add(value % (10 + round)));
            whole.take(&mut part);
            assert!(part.is_empty());
        }
        assert_eq!(whole.counts().iter().map(|(_, count)| count).sum::<u32>(), 3000);
        assert!(whole.counts().is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!((whole.counts().len(), whole.counts()[0], whole.counts()[11]), (12, (0, 100 + 91 + 84), (11, 83)));
    }

    #[test]
    fn values_that_wait_are_settled_first() {
        let mut sparse = Sparse::default();
        assert!(sparse.is_empty());
        sparse.add(1000);
        sparse.add(3);
        assert!(!sparse.is_empty() && sparse.counts().is_empty());
        sparse.settle();
        assert_eq!(sparse.counts(), [(3, 1), (1000, 1)]);
    }
}
