//! The rows of a snapshot, made from sums.

use std::net::IpAddr;
use std::sync::Arc;

use monitor_common::count::{self, Counters};
use monitor_common::rtt::{Leg, Method};

use super::distributions::Distributions;
use super::samples::{Span, Subject};
use super::sums::Sums;
use super::{Aggregate, accounting, known};
use crate::counts::ByKind;
use crate::snapshot::{DfClear, Evidence, FragmentWay, Fragments, Peer, Rtt, Sizes, Snapshot, Traffic, Vni};

/// What rows are made of, besides counts.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// Whose quantiles they have; without, idle ones are left out.
    pub(super) samples: Option<Span>,
    /// The histograms, if they have them.
    pub(super) distributions: Option<&'a Distributions>,
}

impl View<'_> {
    pub(super) fn samples(span: Span) -> Self {
        Self { samples: Some(span), distributions: None }
    }
}

impl Aggregate {
    pub(super) fn snapshot(&self, sums: &Sums, consumed: &ByKind, interval_seconds: f64, view: View<'_>) -> Snapshot {
        let (vnis, peers) = if view.samples.is_some() {
            (sums.vnis.iter().collect::<Vec<_>>(), sums.peers.iter().collect::<Vec<_>>())
        } else {
            (sums.vnis.active(self.now_ns).collect(), sums.peers.active(self.now_ns).collect())
        };
        Snapshot {
            interval_seconds,
            device: self.device.clone(),
            mtu_bytes: known(self.mtu),
            blind_seconds: None,
            vnis: vnis.into_iter().map(|(vni, counters)| self.vni(vni, counters, view)).collect(),
            peers: peers.into_iter().map(|(peer, counters)| self.peer(peer, counters, view)).collect(),
            other: sums.vnis.other(),
            other_peers: sums.peers.other(),
            accounting: accounting::accounting(&sums.totals, consumed),
            overhead: None,
            shares: Vec::new(),
            evidence: Evidence::default(),
            names: Arc::default(),
        }
    }

    fn vni(&self, vni: u32, counters: &Counters, view: View<'_>) -> Vni {
        Vni {
            vni,
            network: None,
            traffic: traffic(counters),
            df_clear: df_clear(counters),
            sizes: Sizes::new(counters, self.sums.is_over_ipv4(vni)),
            fragments: fragments(counters),
            ways: ways(counters),
            rtt: self.rtt(Subject::Vni(vni), counters, view),
        }
    }

    pub(super) fn peer(&self, peer: IpAddr, counters: &Counters, view: View<'_>) -> Peer {
        let sizes = Sizes::new(counters, Some(peer.is_ipv4()));
        Peer {
            peer,
            node: None,
            tunnel: None,
            traffic: traffic(counters),
            df_clear: df_clear(counters),
            sizes,
            path: self.paths.path(peer, known(self.mtu)).with(&sizes),
            fragments: fragments(counters),
            rtt: self.rtt(Subject::Peer(peer), counters, view),
        }
    }

    fn rtt(&self, subject: Subject, counters: &Counters, view: View<'_>) -> Vec<Rtt> {
        let all = Leg::ALL.into_iter().flat_map(|leg| Method::ALL.into_iter().map(move |method| (leg, method)));
        let row = |(leg, method): (Leg, Method)| {
            let matches = &counters.matches[leg as usize][method as usize];
            (matches.count != 0).then(|| Rtt {
                leg: leg.name(),
                method: method.name(),
                count: matches.count,
                mean_seconds: seconds(matches.sum_ns as f64 / matches.count as f64),
                sum_seconds: seconds(matches.sum_ns as f64),
                distribution: view.samples.and_then(|span| self.samples.distribution(subject, (leg, method), span)),
                histogram: view.distributions.and_then(|all| all.buckets(subject, (leg, method))),
                exemplars: if view.samples.is_none() {
                    self.samples.exemplars(subject, (leg, method))
                } else {
                    Vec::new()
                },
            })
        };
        all.filter_map(row).collect()
    }
}

pub(super) fn traffic(counters: &Counters) -> Traffic {
    let [rx, tx] = &counters.traffic;
    Traffic { rx_packets: rx.packets, rx_bytes: rx.bytes, tx_packets: tx.packets, tx_bytes: tx.bytes }
}

fn df_clear(counters: &Counters) -> DfClear {
    let [rx, tx] = &counters.traffic;
    DfClear { rx_df_clear_packets: rx.outer_df_clear, tx_df_clear_packets: tx.outer_df_clear }
}

fn ways(counters: &Counters) -> [FragmentWay; 2] {
    let way = |way: &count::Traffic| FragmentWay {
        outer_fragments: way.outer_fragments,
        inner_fragments: way.inner_fragments,
    };
    [way(&counters.traffic[0]), way(&counters.traffic[1])]
}

fn fragments(counters: &Counters) -> Fragments {
    let [rx, tx] = &counters.traffic;
    Fragments { outer: rx.outer_fragments + tx.outer_fragments, inner: rx.inner_fragments + tx.inner_fragments }
}

pub(super) fn seconds(nanoseconds: f64) -> f64 {
    nanoseconds / 1e9
}
