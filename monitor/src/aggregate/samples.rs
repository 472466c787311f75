//! Samples in histograms of three digits, per VNI and per peer, by leg and method; of the interval and of the whole run.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use hdrhistogram::Histogram;
use monitor_common::rtt::{LEGS, Leg, METHODS, Method, TICK_NS};

use super::Limits;
use super::exemplars::Exemplars;
use super::sparse::Sparse;
use crate::snapshot::{Distribution, Exemplar};

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

/// All samples.
pub(super) struct Samples {
    limits: Limits,
    vnis: usize,
    recorders: HashMap<Subject, [[Recorder; METHODS]; LEGS]>,
    /// Where the values of one recorder at a time are put to be asked about, in ticks; it also rounds them.
    scratch: RefCell<Histogram<u32>>,
}

#[derive(Default)]
struct Recorder {
    interval: Sparse,
    /// Without those of the interval.
    whole: Sparse,
    exemplars: Exemplars,
}

impl Samples {
    pub(super) fn new(limits: Limits) -> Self {
        let mut scratch = Histogram::new(3).expect("three digits are allowed");
        scratch.auto(true);
        Self { limits, vnis: 0, recorders: HashMap::new(), scratch: RefCell::new(scratch) }
    }

    /// Takes a sample, unless its subject is one too many.
    pub(super) fn record(&mut self, subject: Subject, (leg, method): (Leg, Method), rtt_ns: u64, exemplar: &Exemplar) {
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
        // A tick clock of 274 s keeps times within 32 bits.
        let ticks = self.scratch.get_mut().lowest_equivalent(rtt_ns / TICK_NS);
        let recorder = &mut recorders[leg as usize][method as usize];
        recorder.interval.add(u32::try_from(ticks).unwrap_or(u32::MAX));
        recorder.exemplars.record(exemplar);
    }

    /// Samples that stand for others.
    pub(super) fn exemplars(&self, subject: Subject, (leg, method): (Leg, Method)) -> Vec<Exemplar> {
        let recorders = self.recorders.get(&subject);
        recorders.map_or_else(Vec::new, |recorders| recorders[leg as usize][method as usize].exemplars.all())
    }

    /// Forgets all samples of a subject; another one may have its place.
    pub(super) fn forget(&mut self, subject: Subject) {
        if self.recorders.remove(&subject).is_some() {
            self.vnis -= usize::from(matches!(subject, Subject::Vni(_)));
        }
    }

    /// The distribution of the samples of a time that has ended, if there are any.
    pub(super) fn distribution(
        &self,
        subject: Subject,
        (leg, method): (Leg, Method),
        span: Span,
    ) -> Option<Distribution> {
        let recorder = &self.recorders.get(&subject)?[leg as usize][method as usize];
        let counts = match span {
            Span::Interval => recorder.interval.counts(),
            Span::Whole => recorder.whole.counts(),
        };
        (!counts.is_empty()).then(|| distribution(&mut self.scratch.borrow_mut(), counts))
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

fn distribution(scratch: &mut Histogram<u32>, counts: &[(u32, u32)]) -> Distribution {
    scratch.reset();
    for (ticks, count) in counts {
        scratch.record_n(u64::from(*ticks), *count).expect("a resizing histogram takes every value");
    }
    let seconds = |ticks: u64| super::rows::seconds((ticks * TICK_NS) as f64);
    let at = |quantile| seconds(scratch.value_at_quantile(quantile));
    Distribution {
        samples: scratch.len(),
        min_seconds: seconds(scratch.min()),
        p50_seconds: at(0.5),
        p90_seconds: at(0.9),
        p99_seconds: at(0.99),
        p999_seconds: at(0.999),
        max_seconds: seconds(scratch.max()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::snapshot::Flow;

    const ANY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const EXEMPLAR: Exemplar = Exemplar {
        at_ns: 1,
        seconds: 1e-3,
        peer: ANY,
        flow: Flow { src: ANY, src_port: 1, dst: ANY, dst_port: 2, protocol: 6 },
    };

    #[test]
    fn samples_of_intervals_add_up_to_those_of_the_whole_run() {
        let mut samples = Samples::new(Limits { max_vnis: 1, max_peers: 1, idle_ns: u64::MAX });
        let (subject, key) = (Subject::Vni(7), (Leg::Remote, Method::Echo));
        for interval in 1..=2 {
            for at in 1..=1000 {
                samples.record(subject, key, interval * at * 1000, &EXEMPLAR);
                samples.record(Subject::Vni(8), key, 1, &EXEMPLAR);
            }
            samples.end_interval();
            let distribution = samples.distribution(subject, key, Span::Interval).unwrap();
            let median = interval as f64 * 500e-6;
            assert_eq!(distribution.samples, 1000);
            assert!((distribution.p50_seconds - median).abs() < median / 500.0, "{distribution:?}");
            samples.next_interval();
        }
        assert_eq!(samples.exemplars(subject, key), [EXEMPLAR], "one an octave");
        let whole = samples.distribution(subject, key, Span::Whole).unwrap();
        assert_eq!(whole.samples, 2000);
        assert!((whole.max_seconds - 2e-3).abs() < 4e-6 && (whole.min_seconds - 1e-6).abs() < 1e-7, "{whole:?}");
        assert!(samples.distribution(Subject::Vni(8), key, Span::Whole).is_none(), "one VNI too many");
    }
}
