//! Metrics of one moment: families of samples.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::catalogue::Metric;
use super::histogram::Histogram;
use crate::inventory::Name;

/// All families, by name.
#[derive(Default)]
pub struct Families(BTreeMap<&'static str, Family>);

/// A metric and its samples.
pub struct Family {
    pub(super) metric: &'static Metric,
    pub(super) samples: Vec<Sample>,
}

/// A sample: the values of the metric's labels, in its order.
pub(super) struct Sample {
    pub(super) labels: Vec<Label>,
    pub(super) value: Value,
}

/// What is measured.
pub(super) enum Value {
    Count(u64),
    Number(f64),
    Histogram(Box<Histogram>),
}

/// The value of a label. What somebody else has written gets here as a [`Name`] only, so nothing in it ends a line or
/// moves a cursor.
#[derive(Clone)]
pub(super) enum Label {
    Word(&'static str),
    Number(u32),
    Address(IpAddr),
    Name(Name),
}

impl Label {
    /// Its text; encoders still escape quotes and backslashes.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Word(word) => (*word).to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Address(address) => address.to_string(),
            Self::Name(name) => name.to_string(),
        }
    }
}

impl From<&'static str> for Label {
    fn from(word: &'static str) -> Self {
        Self::Word(word)
    }
}

impl From<u32> for Label {
    fn from(number: u32) -> Self {
        Self::Number(number)
    }
}

impl From<IpAddr> for Label {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl From<&Name> for Label {
    fn from(name: &Name) -> Self {
        Self::Name(name.clone())
    }
}

/// An absent name is an empty label, which to Prometheus is none.
impl From<Option<&Name>> for Label {
    fn from(name: Option<&Name>) -> Self {
        name.map_or(Self::Word(""), Self::from)
    }
}

impl Families {
    /// Adds a count.
    pub(super) fn count<const N: usize>(&mut self, metric: &'static Metric, labels: [Label; N], count: u64) {
        self.add(metric, labels, Value::Count(count));
    }

    /// Adds a number.
    pub(super) fn number<const N: usize>(&mut self, metric: &'static Metric, labels: [Label; N], number: f64) {
        self.add(metric, labels, Value::Number(number));
    }

    /// Adds a histogram.
    pub(super) fn histogram<const N: usize>(
        &mut self,
        metric: &'static Metric,
        labels: [Label; N],
        histogram: Histogram,
    ) {
        self.add(metric, labels, Value::Histogram(Box::new(histogram)));
    }

    fn add<const N: usize>(&mut self, metric: &'static Metric, labels: [Label; N], value: Value) {
        debug_assert_eq!(metric.labels.len(), N, "{}", metric.name);
        let family = self.0.entry(metric.name).or_insert_with(|| Family { metric, samples: Vec::new() });
        family.samples.push(Sample { labels: labels.into(), value });
    }

    /// Each family.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Family> {
        self.0.values()
    }
}
