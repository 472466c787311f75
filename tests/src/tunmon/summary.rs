//! The fields of `tunmon.interval/v1` and `tunmon.summary/v1` that tests rely on, and the identities that must hold.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::oracle::{Counts, Tally, Way};

#[derive(Clone, Debug, Deserialize)]
pub struct Summary {
    #[serde(default)]
    pub device: String,
    /// The time in which no program was attached.
    pub blind_seconds: Option<f64>,
    pub vnis: Vec<VniRow>,
    pub peers: Vec<PeerRow>,
    #[serde(default)]
    pub other: Other,
    #[serde(default)]
    pub other_peers: Other,
    pub accounting: Accounting,
    #[serde(default)]
    pub findings: Vec<Value>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct VniRow {
    pub vni: u32,
    pub rx_packets: u64,
    pub rx_bytes: u64,
    pub tx_packets: u64,
    pub tx_bytes: u64,
    #[serde(default)]
    pub rtt: Vec<Rtt>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct PeerRow {
    pub peer: IpAddr,
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub overhead_min_bytes: Option<u64>,
    pub overhead_max_bytes: Option<u64>,
    pub recommended_inner_mtu_bytes: Option<u64>,
}

/// Packets of VNIs beyond the tables' bounds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Other {
    pub rx_packets: u64,
    pub tx_packets: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Rtt {
    pub leg: String,
    pub method: String,
    /// All matches; exact.
    pub count: u64,
    /// This and the others are of the matches that came as events, which are rate-limited: there may be none.
    pub min_seconds: Option<f64>,
    pub p50_seconds: Option<f64>,
    pub max_seconds: Option<f64>,
    /// In a summary.
    pub histogram: Option<Buckets>,
}

/// All matches in the kernel's buckets.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Buckets {
    pub buckets: Vec<(i32, u64)>,
    pub longer: u64,
}

/// What became of the kernel's histograms.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Histograms {
    pub shared_samples: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Accounting {
    pub seen: u64,
    pub classes: BTreeMap<String, u64>,
    /// Packets of `other` whose tunnel has no slot.
    #[serde(default)]
    pub untracked_packets: u64,
    #[serde(default)]
    pub flows: Flows,
    pub events: Events,
    pub histograms: Option<Histograms>,
    #[serde(default)]
    pub events_by_kind: BTreeMap<String, Events>,
}

/// The flow table: free entries that were taken, and entries that were taken from other flows.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Flows {
    pub inserted: u64,
    pub evicted: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Events {
    pub wanted: u64,
    pub submitted: u64,
    pub ring_full: u64,
    pub rate_limited: u64,
    pub consumed: u64,
    pub delivered: u64,
    pub decode_errors: u64,
}

impl Summary {
    pub(super) fn from_record(record: &Value) -> Result<Self> {
        Self::deserialize(record).with_context(|| format!("the summary breaks the contract: {record}"))
    }

    /// Packets and bytes by VNI and direction, without the empty ones, to compare with the oracle's.
    pub fn counts(&self) -> Counts {
        let ways = self.vnis.iter().flat_map(|row| {
            let received = Tally { packets: row.rx_packets, bytes: row.rx_bytes };
            let sent = Tally { packets: row.tx_packets, bytes: row.tx_bytes };
            [((row.vni, Way::Receive), received), ((row.vni, Way::Transmit), sent)]
        });
        ways.filter(|(_, tally)| *tally != Tally::default()).collect()
    }

    /// The samples of a VNI by leg (`remote`, `local`) and method (`echo`, `handshake`, `timestamp`, `sequence`).
    pub fn rtt(&self, vni: u32, leg: &str, method: &str) -> Option<&Rtt> {
        let row = self.vnis.iter().find(|row| row.vni == vni)?;
        row.rtt.iter().find(|rtt| rtt.leg == leg && rtt.method == method)
    }

    /// Checks that no packet and no event got lost between the counters: integers, no tolerance.
    pub fn check_identities(&self) -> Result<()> {
        let Accounting { seen, classes, events, events_by_kind, .. } = &self.accounting;
        let sum: u64 = classes.values().sum();
        ensure!(*seen == sum, "seen {seen} is not the sum of the classes {sum}: {classes:?}");
        let per_vni: u64 = self.vnis.iter().map(|row| row.rx_packets + row.tx_packets).sum();
        let rest = self.other.rx_packets + self.other.tx_packets;
        let geneve = classes.get("geneve").copied().unwrap_or_default();
        ensure!(geneve == per_vni + rest, "geneve {geneve} is not per VNI {per_vni} + other {rest}");
        for row in &self.vnis {
            row.check_histograms(self.accounting.histograms.is_some_and(|histograms| histograms.shared_samples != 0))?;
        }
        for (kind, events) in events_by_kind {
            events.check_identities().with_context(|| format!("events of kind {kind}"))?;
        }
        events.check_identities()
    }
}

impl VniRow {
    /// Checks that each match is in a bucket of its VNI, or in one of those that are `shared` by tunnels that found no
    /// histogram left.
    fn check_histograms(&self, shared: bool) -> Result<()> {
        for rtt in &self.rtt {
            let Buckets { buckets, longer } = rtt.histogram.clone().unwrap_or_default();
            let sum = buckets.iter().map(|(_, count)| count).sum::<u64>() + longer;
            ensure!(
                sum == rtt.count || (shared && sum < rtt.count),
                "{} matches, {sum} in buckets: {rtt:?}",
                rtt.count
            );
        }
        Ok(())
    }
}

impl Events {
    fn check_identities(&self) -> Result<()> {
        let events = self;
        let fates = events.submitted + events.ring_full + events.rate_limited;
        ensure!(events.wanted == fates, "wanted events are not submitted + ring full + rate limited: {events:?}");
        ensure!(events.submitted == events.consumed, "submitted events were not all consumed: {events:?}");
        let read = events.delivered + events.decode_errors;
        ensure!(events.consumed == read, "consumed events are not delivered + decode errors: {events:?}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn summary(seen: u64, geneve: u64, submitted: u64) -> Summary {
        Summary::from_record(&json!({
            "vnis": [{"vni": 100, "rx_packets": 2, "rx_bytes": 300, "tx_packets": 0, "tx_bytes": 0,
                "rtt": [{"leg": "remote", "method": "echo", "count": 2,
                    "min_seconds": 0.001, "p50_seconds": 0.002, "max_seconds": 0.002,
                    "histogram": {"schema": 3, "buckets": [[-79, 1], [-71, 1]], "longer": 0}}]}],
            "peers": [],
            "other": {"rx_packets": 1, "tx_packets": 0},
            "accounting": {"seen": seen, "classes": {"geneve": geneve, "other": 5},
                "events": {"wanted": 4, "submitted": submitted, "ring_full": 1, "rate_limited": 0,
                    "consumed": 3, "delivered": 2, "decode_errors": 1}}
        }))
        .unwrap()
    }

    #[test]
    fn a_balanced_account_passes() {
        summary(8, 3, 3).check_identities().unwrap();
    }

    #[test]
    fn one_lost_packet_or_event_is_noticed() {
        for (seen, geneve, submitted) in [(9, 3, 3), (9, 4, 3), (7, 2, 3), (8, 3, 2)] {
            assert!(summary(seen, geneve, submitted).check_identities().is_err(), "{seen} {geneve} {submitted}");
        }
    }

    #[test]
    fn a_match_that_is_in_no_bucket_is_noticed() {
        let mut summary = summary(8, 3, 3);
        summary.vnis[0].rtt[0].count = 3;
        assert!(summary.check_identities().is_err());
        summary.accounting.histograms = Some(Histograms { shared_samples: 1 });
        summary.check_identities().unwrap();
    }

    #[test]
    fn empty_directions_are_left_out_of_the_counts() {
        let tally = Tally { packets: 2, bytes: 300 };
        assert_eq!(summary(8, 3, 3).counts(), Counts::from([((100, Way::Receive), tally)]));
    }

    #[test]
    fn a_missing_field_names_itself() {
        let error = Summary::from_record(&json!({"vnis": [], "peers": []})).unwrap_err();
        assert!(format!("{error:#}").contains("accounting"), "{error:#}");
    }
}
