//! The two text forms: Prometheus 0.0.4 and OpenMetrics 1.0.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>, <https://prometheus.io/docs/specs/om/open_metrics_spec/>

use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};

use super::catalogue::{Kind, Metric};
use super::community_id::community_id;
use super::family::{Families, Family, Label, Sample, Value};
use super::histogram::Histogram;
use super::number::{bound, number};
use crate::snapshot::Exemplar;

/// A text form.
struct Writer {
    text: String,
    is_open: bool,
    /// What the moment of events' time 0 is in the time of the day.
    offset: Timestamp,
}

/// Prometheus's text form, version 0.0.4.
pub(super) fn prometheus(families: &Families) -> String {
    let mut writer = Writer { text: String::new(), is_open: false, offset: Timestamp::UNIX_EPOCH };
    families.iter().for_each(|family| writer.family(family));
    writer.text
}

/// OpenMetrics 1.0, which has units and exemplars.
pub(super) fn open_metrics(families: &Families, offset: Timestamp) -> String {
    let mut writer = Writer { text: String::new(), is_open: true, offset };
    families.iter().for_each(|family| writer.family(family));
    writer.text + "# EOF\n"
}

impl Writer {
    fn family(&mut self, family: &Family) {
        let metric = family.metric;
        let name = if self.is_open { metric.family() } else { metric.name };
        // Writing into a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {}", metric.help);
        let _ = writeln!(self.text, "# TYPE {name} {}", metric.kind.name());
        if self.is_open && !metric.unit().is_empty() {
            let _ = writeln!(self.text, "# UNIT {name} {}", metric.unit());
        }
        family.samples.iter().for_each(|sample| self.sample(metric, sample));
    }

    fn sample(&mut self, metric: &Metric, sample: &Sample) {
        match &sample.value {
            Value::Count(count) => self.line((metric, ""), sample, None, &count.to_string(), None),
            Value::Number(value) => {
                let value = if metric.kind == Kind::Counter { bound(*value) } else { number(*value) };
                self.line((metric, ""), sample, None, &value, None);
            }
            Value::Histogram(histogram) => self.histogram(metric, sample, histogram),
        }
    }

    fn histogram(&mut self, metric: &Metric, sample: &Sample, histogram: &Histogram) {
        let mut above = 0.0;
        let whole = (f64::INFINITY, histogram.count);
        for (upto, count) in histogram.classic.iter().chain([&whole]) {
            let exemplar = histogram.exemplar(above, *upto).filter(|_| self.is_open);
            self.line((metric, "_bucket"), sample, Some(*upto), &count.to_string(), exemplar);
            above = *upto;
        }
        self.line((metric, "_sum"), sample, None, &number(histogram.sum), None);
        self.line((metric, "_count"), sample, None, &histogram.count.to_string(), None);
    }

    fn line(
        &mut self,
        (metric, suffix): (&Metric, &str),
        sample: &Sample,
        le: Option<f64>,
        value: &str,
        exemplar: Option<&Exemplar>,
    ) {
        self.text.push_str(metric.name);
        self.text.push_str(suffix);
        let labels = metric.labels.iter().zip(&sample.labels).map(|(name, label)| (*name, label.text()));
        let le = le.map(|le| ("le", bound(le)));
        // An empty label is none.
        let labels: Vec<(&str, String)> = labels.chain(le).filter(|(_, text)| !text.is_empty()).collect();
        if !labels.is_empty() {
            self.labels(&labels);
        }
        let _ = write!(self.text, " {value}");
        if let Some(exemplar) = exemplar {
            self.text.push_str(" # ");
            self.labels(&exemplar_labels(exemplar));
            let _ = write!(self.text, " {} {}", number(exemplar.seconds), number(at(exemplar, self.offset)));
        }
        self.text.push('\n');
    }

    fn labels(&mut self, labels: &[(&str, String)]) {
        for (place, (name, value)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{name}=\"");
            for char in value.chars() {
                match char {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    char => self.text.push(char),
                }
            }
            self.text.push('"');
        }
        self.text.push('}');
    }
}

/// Labels of an exemplar; fewer than 128 characters, as OpenMetrics asks for.
pub(super) fn exemplar_labels(exemplar: &Exemplar) -> [(&'static str, String); 2] {
    [("peer", Label::Address(exemplar.peer).text()), ("community_id", community_id(&exemplar.flow))]
}

/// When it was, in seconds since 1970, to the millisecond.
pub(super) fn at(exemplar: &Exemplar, offset: Timestamp) -> f64 {
    (offset + SignedDuration::from_nanos(exemplar.at_ns.cast_signed())).as_millisecond() as f64 / 1e3
}
