//! Samples in histograms of three digits, per VNI and per peer, by leg and method; of the interval and of the whole run.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use hdrhistogram::Histogram;
use monitor_common::rtt::{Leg, Method};

use super::Limits;
use crate::snapshot::Distribution;

/// Whose samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A virtual network.
    Vni(u32),
    /// A tunnel endpoint.
    Peer(IpAddr),
}

/// Which samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// Those since the last report.
    Interval,
    /// All of them.
    Whole,
}

/// All histograms.
pub(super) struct Samples {
    limits: Limits,
    subjects: [BTreeSet<Subject>; 2],
    recorders: HashMap<(Subject, Leg, Method), Recorder>,
}

struct Recorder {
    interval: Histogram<u32>,
    whole: Histogram<u32>,
}

impl Samples {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, subjects: [BTreeSet::new(), BTreeSet::new()], recorders: HashMap::new() }
    }

    /// Takes a sample, unless its subject is one too many.
    pub(super) fn record(&mut self, subject: Subject, (leg, method): (Leg, Method), rtt_ns: u64) {
        if !self.admits(subject) {
            return;
        }
        let recorder = self.recorders.entry((subject, leg, method)).or_insert_with(Recorder::new);
        // Resizing histograms take every value; a tick clock of 274 s keeps them small.
        for histogram in [&mut recorder.interval, &mut recorder.whole] {
            histogram.record(rtt_ns).expect("a resizing histogram takes every value");
        }
    }

    fn admits(&mut self, subject: Subject) -> bool {
        let (known, most) = match subject {
            Subject::Vni(_) => (&mut self.subjects[0], self.limits.max_vnis),
            Subject::Peer(_) => (&mut self.subjects[1], self.limits.max_peers),
        };
        known.contains(&subject) || (known.len() < most && known.insert(subject))
    }

    /// The distribution of the samples, if there are any.
    pub(super) fn distribution(
        &self,
        subject: Subject,
        (leg, method): (Leg, Method),
        span: Span,
    ) -> Option<Distribution> {
        let recorder = self.recorders.get(&(subject, leg, method))?;
        let histogram = match span {
            Span::Interval => &recorder.interval,
            Span::Whole => &recorder.whole,
        };
        if histogram.is_empty() {
            return None;
        }
        let at = |quantile| super::seconds(histogram.value_at_quantile(quantile) as f64);
        Some(Distribution {
            samples: histogram.len(),
            min_seconds: super::seconds(histogram.min() as f64),
            p50_seconds: at(0.5),
            p90_seconds: at(0.9),
            p99_seconds: at(0.99),
            p999_seconds: at(0.999),
            max_seconds: super::seconds(histogram.max() as f64),
        })
    }

    /// Begins a new interval.
    pub(super) fn next_interval(&mut self) {
        self.recorders.values_mut().for_each(|recorder| recorder.interval.reset());
    }
}

impl Recorder {
    fn new() -> Self {
        let empty = || {
            let mut histogram = Histogram::new(3).expect("three digits are allowed");
            histogram.auto(true);
            histogram
        };
        Self { interval: empty(), whole: empty() }
    }
}
