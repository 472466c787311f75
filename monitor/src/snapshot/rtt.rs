//! Round-trip times, in the names and units of the JSON contract.

use serde::Serialize;

use super::Exemplar;

/// Round-trip times of one leg by one method. The count is complete; the rest comes from samples.
#[derive(Clone, Debug, Serialize)]
pub struct Rtt {
    /// `remote` or `local`.
    pub leg: &'static str,
    /// `timestamp`, `handshake` or `echo`.
    pub method: &'static str,
    /// Number of matches.
    pub count: u64,
    /// Their mean.
    pub mean_seconds: f64,
    /// Their sum.
    #[serde(skip)]
    pub sum_seconds: f64,
    /// The samples' distribution, if there are samples.
    #[serde(flatten)]
    pub distribution: Option<Distribution>,
    /// All matches of the whole run in the kernel's buckets; in a summary only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Buckets>,
    /// Samples that stand for those in the histogram, the quickest first; where it is exported.
    #[serde(skip)]
    pub exemplars: Vec<Exemplar>,
}

/// Numbers of matches by time, on the boundaries of Prometheus's native histograms: the bucket of index i holds the times
/// of more than 2^((i − 1) / 8) s and at most 2^(i / 8) s; the first one, −160, all of at most 2^-20 s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Buckets {
    /// Buckets an octave, as an exponent of 2.
    pub schema: u8,
    /// Index and number of each bucket that is not empty.
    pub buckets: Vec<(i32, u64)>,
    /// Matches of more than 4 s.
    pub longer: u64,
}

/// A distribution, to three digits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Distribution {
    /// Number of samples.
    pub samples: u64,
    /// Least.
    pub min_seconds: f64,
    /// Median.
    pub p50_seconds: f64,
    /// 90th percentile.
    pub p90_seconds: f64,
    /// 99th percentile.
    pub p99_seconds: f64,
    /// 99.9th percentile.
    pub p999_seconds: f64,
    /// Most.
    pub max_seconds: f64,
}
