//! The rows of a snapshot, made from sums.

use std::net::IpAddr;
use std::sync::Arc;

use monitor_common::count::Counters;
use monitor_common::rtt::{Leg, Method};

use super::samples::{Span, Subject};
use super::sums::Sums;
use super::{Aggregate, accounting, known};
use crate::counts::ByKind;
use crate::snapshot::{DfClear, Evidence, Fragments, Peer, Rtt, Sizes, Snapshot, Traffic, Vni};

impl Aggregate {
    pub(super) fn snapshot(&self, sums: &Sums, consumed: &ByKind, interval_seconds: f64, span: Span) -> Snapshot {
        Snapshot {
            interval_seconds,
            device: self.device.clone(),
            mtu_bytes: known(self.mtu),
            blind_seconds: None,
            vnis: sums.vnis.iter().map(|(vni, counters)| self.vni(*vni, counters, span)).collect(),
            peers: sums.peers.iter().map(|(peer, counters)| self.peer(*peer, counters, span)).collect(),
            other: sums.other,
            other_peers: sums.other_peers,
            accounting: accounting::accounting(&sums.totals, consumed),
            overhead: None,
            shares: Vec::new(),
            evidence: Evidence::default(),
            names: Arc::default(),
        }
    }

    fn vni(&self, vni: u32, counters: &Counters, span: Span) -> Vni {
        Vni {
            vni,
            network: None,
            traffic: traffic(counters),
            df_clear: df_clear(counters),
            sizes: Sizes::new(counters, self.sums.is_over_ipv4(vni)),
            fragments: fragments(counters),
            rtt: self.rtt(Subject::Vni(vni), counters, span),
        }
    }

    pub(super) fn peer(&self, peer: IpAddr, counters: &Counters, span: Span) -> Peer {
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
            rtt: self.rtt(Subject::Peer(peer), counters, span),
        }
    }

    fn rtt(&self, subject: Subject, counters: &Counters, span: Span) -> Vec<Rtt> {
        let all = Leg::ALL.into_iter().flat_map(|leg| Method::ALL.into_iter().map(move |method| (leg, method)));
        let row = |(leg, method): (Leg, Method)| {
            let matches = &counters.matches[leg as usize][method as usize];
            (matches.count != 0).then(|| Rtt {
                leg: leg.name(),
                method: method.name(),
                count: matches.count,
                mean_seconds: seconds(matches.sum_ns as f64 / matches.count as f64),
                distribution: self.samples.distribution(subject, (leg, method), span),
                histogram: self.distributions.buckets(subject, (leg, method)),
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

fn fragments(counters: &Counters) -> Fragments {
    let [rx, tx] = &counters.traffic;
    Fragments { outer: rx.outer_fragments + tx.outer_fragments, inner: rx.inner_fragments + tx.inner_fragments }
}

pub(super) fn seconds(nanoseconds: f64) -> f64 {
    nanoseconds / 1e9
}
