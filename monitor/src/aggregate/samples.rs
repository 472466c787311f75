//! Samples in histograms of three digits, per VNI and per peer, by leg and method; of the interval and of the whole run.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use monitor_common::rtt::{LEGS, Leg, METHODS, Method};

use super::Limits;
use super::histogram::Histogram;
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
    vnis: usize,
    recorders: HashMap<Subject, [[Recorder; METHODS]; LEGS]>,
}

#[derive(Default)]
struct Recorder {
    interval: Histogram,
    /// Without those of the interval.
    whole: Histogram,
}

impl Samples {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, vnis: 0, recorders: HashMap::new() }
    }

    /// Takes a sample, unless its subject is one too many.
    pub(super) fn record(&mut self, subject: Subject, (leg, method): (Leg, Method), rtt_ns: u64) {
        let others = self.recorders.len() - self.vnis;
        let recorders = match self.recorders.entry(subject) {
            Entry::Occupied(recorders) => recorders.into_mut(),
            Entry::Vacant(place) => {
                let (is_vni, has_room) = match subject {
                    Subject::Vni(_) => (true, self.vnis < self.limits.max_vnis),
                    Subject::Peer(_) => (false, others < self.limits.max_peers),
                };
                if !has_room {
                    return;
                }
                self.vnis += usize::from(is_vni);
                place.insert(Default::default())
            }
        };
        recorders[leg as usize][method as usize].interval.record(rtt_ns);
    }

    /// The distribution of the samples of a time that has ended, if there are any.
    pub(super) fn distribution(
        &self,
        subject: Subject,
        (leg, method): (Leg, Method),
        span: Span,
    ) -> Option<Distribution> {
        let recorder = &self.recorders.get(&subject)?[leg as usize][method as usize];
        distribution(match span {
            Span::Interval => &recorder.interval,
            Span::Whole => &recorder.whole,
        })
    }

    /// Ends the interval: its distributions can be asked for.
    pub(super) fn end_interval(&mut self) {
        self.each(|recorder| recorder.interval.settle());
    }

    /// Begins a new interval: the distributions of the whole run have all samples of the one before.
    pub(super) fn next_interval(&mut self) {
        self.each(|recorder| recorder.whole.take(&mut recorder.interval));
    }

    fn each(&mut self, with: impl FnMut(&mut Recorder)) {
        let recorders = self.recorders.values_mut().flat_map(|recorders| recorders.as_flattened_mut());
        recorders.filter(|recorder| !recorder.interval.is_empty()).for_each(with);
    }
}

fn distribution(histogram: &Histogram) -> Option<Distribution> {
    let (least, most) = histogram.extremes()?;
    let [p50, p90, p99, p999] = histogram.quantiles([0.5, 0.9, 0.99, 0.999]);
    let seconds = |nanoseconds| super::seconds(nanoseconds as f64);
    Some(Distribution {
        samples: histogram.len(),
        min_seconds: seconds(least),
        p50_seconds: seconds(p50),
        p90_seconds: seconds(p90),
        p99_seconds: seconds(p99),
        p999_seconds: seconds(p999),
        max_seconds: seconds(most),
    })
}
