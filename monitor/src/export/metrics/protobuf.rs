//! The protobuf form, which alone carries native histograms: messages of `io.prometheus.client`, each behind its length.
//! Field numbers: <https://github.com/prometheus/client_model/blob/v0.6.1/io/prometheus/client/metrics.proto>

use jiff::Timestamp;
use prost::Message;

use super::catalogue::Kind;
use super::family::{Families, Family, Sample, Value};
use super::text::{at, exemplar_labels};

#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    help: Option<String>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
    #[prost(string, optional, tag = "5")]
    unit: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Number>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

/// `Gauge` and `Counter` have the same first field.
#[derive(Clone, PartialEq, Message)]
struct Number {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    zero_count: Option<u64>,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "13")]
    positive_delta: Vec<i64>,
    #[prost(message, repeated, tag = "16")]
    exemplars: Vec<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, optional, tag = "1")]
    cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    upper_bound: Option<f64>,
    #[prost(message, optional, tag = "3")]
    exemplar: Option<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct BucketSpan {
    #[prost(sint32, optional, tag = "1")]
    offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    length: Option<u32>,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(double, optional, tag = "2")]
    value: Option<f64>,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<Time>,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, PartialEq, Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The least that is no zero: what Prometheus's own client says, and less than any time.
const ZERO_THRESHOLD: f64 = 2.938_735_877_055_719e-39;

/// All families, each behind its length.
pub(super) fn encode(families: &Families, offset: Timestamp) -> Vec<u8> {
    let mut bytes = Vec::new();
    for family in families.iter() {
        // A vector takes whatever comes.
        let _ = message(family, offset).encode_length_delimited(&mut bytes);
    }
    bytes
}

fn message(family: &Family, offset: Timestamp) -> MetricFamily {
    let metric = family.metric;
    let kind = match metric.kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Histogram => 4,
    };
    MetricFamily {
        name: Some(metric.name.to_owned()),
        help: Some(metric.help.to_owned()),
        kind: Some(kind),
        metric: family.samples.iter().map(|sample| row(metric.kind, metric.labels, sample, offset)).collect(),
        unit: (!metric.unit().is_empty()).then(|| metric.unit().to_owned()),
    }
}

fn row(kind: Kind, names: &[&str], sample: &Sample, offset: Timestamp) -> Metric {
    let labels = names.iter().zip(&sample.labels).map(|(name, label)| ((*name).to_owned(), label.text()));
    let label = labels.filter(|(_, text)| !text.is_empty()).map(|(name, value)| pair(name, value)).collect();
    let mut row = Metric { label, ..Metric::default() };
    let number = match &sample.value {
        Value::Count(count) => *count as f64,
        Value::Number(number) => *number,
        Value::Histogram(own) => {
            row.histogram = Some(histogram(own, offset));
            return row;
        }
    };
    let number = Some(Number { value: Some(number) });
    if kind == Kind::Counter {
        row.counter = number
    } else {
        row.gauge = number
    }
    row
}

fn histogram(own: &super::histogram::Histogram, offset: Timestamp) -> Histogram {
    let mut above = 0.0;
    // `+Inf` is the count; as a bucket it is there for its exemplar only.
    let bucket = |(upto, count): &(f64, u64)| {
        let exemplar = own.exemplar(above, *upto).map(|own| exemplar(own, offset));
        above = *upto;
        Bucket { cumulative_count: Some(*count), upper_bound: Some(*upto), exemplar }
    };
    let bucket = own.classic.iter().map(bucket).collect();
    let (spans, positive_delta) = own.spans();
    let span = |(offset, length)| BucketSpan { offset: Some(offset), length: Some(length) };
    Histogram {
        sample_count: Some(own.count),
        sample_sum: Some(own.sum),
        bucket,
        schema: Some(3),
        zero_threshold: Some(ZERO_THRESHOLD),
        zero_count: Some(0),
        positive_span: spans.into_iter().map(span).collect(),
        positive_delta,
        exemplars: own.exemplars.iter().map(|own| exemplar(own, offset)).collect(),
    }
}

fn exemplar(own: &crate::snapshot::Exemplar, offset: Timestamp) -> Exemplar {
    let at = at(own, offset);
    let (seconds, nanos) = (at.floor() as i64, (at.fract() * 1e9) as i32);
    Exemplar {
        label: exemplar_labels(own).map(|(name, value)| pair(name.to_owned(), value)).into(),
        value: Some(own.seconds),
        timestamp: Some(Time { seconds, nanos }),
    }
}

fn pair(name: String, value: String) -> LabelPair {
    LabelPair { name: Some(name), value: Some(value) }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{PEER_RTT, RECEIVE_PACKETS};
    use super::super::histogram::{CLASSIC, Histogram};
    use super::*;
    use crate::snapshot::Buckets;

    #[test]
    fn what_is_written_reads_back_with_the_buckets_that_were_counted() {
        let mut families = Families::default();
        families.count(&RECEIVE_PACKETS, ["eth0".into(), 7u32.into()], 1 << 40);
        let buckets = Buckets { schema: 3, buckets: vec![(-80, 5), (-79, 2), (-8, 1)], longer: 3 };
        let labels = ["eth0".into(), "".into(), "".into(), "remote".into(), "echo".into()];
        families.histogram(&PEER_RTT, labels, Histogram::new(&buckets, 2.5, Vec::new(), CLASSIC));
        let bytes = encode(&families, Timestamp::UNIX_EPOCH);
        let mut bytes = bytes.as_slice();
        let read: Vec<MetricFamily> =
            (0..2).map(|_| MetricFamily::decode_length_delimited(&mut bytes).unwrap()).collect();
        assert!(bytes.is_empty());
        let [rtt, packets] = read.as_slice() else { panic!() };
        assert_eq!(packets.metric[0].counter.as_ref().unwrap().value, Some((1u64 << 40) as f64));
        let row = &rtt.metric[0];
        assert_eq!(row.label.len(), 3, "empty labels are none");
        let read = row.histogram.as_ref().unwrap();
        assert_eq!((read.sample_count, read.schema), (Some(11), Some(3)));
        let (mut index, mut count, mut found) = (0, 0, Vec::new());
        let mut deltas = read.positive_delta.iter();
        for span in &read.positive_span {
            index += span.offset.unwrap();
            for _ in 0..span.length.unwrap() {
                count += deltas.next().unwrap();
                found.push((index, count));
                index += 1;
            }
        }
        assert_eq!(found, [(-80, 5), (-79, 2), (-8, 1), (17, 3)]);
        assert_eq!(read.bucket.last().unwrap().cumulative_count, Some(8));
    }
}
