//! The exact histograms of round-trip times, per VNI and per peer.

use std::collections::HashMap;

use monitor_common::histogram::{self, Histogram};
use monitor_common::rtt::{Leg, Method};

use super::samples::Subject;
use crate::counts::Counts;
use crate::snapshot::Buckets;

/// Histograms by whose they are, leg and method.
#[derive(Default)]
pub(super) struct Distributions(HashMap<(Subject, Leg, Method), Histogram>);

impl Distributions {
    /// Adds up the histograms of all tunnels that a VNI or a peer has.
    pub(super) fn new(counts: &Counts) -> Self {
        let mut sums = HashMap::<_, Histogram>::new();
        for tracked in &counts.tunnels {
            let (vni, peer) = (tracked.tunnel.vni(), tracked.tunnel.peer().ip());
            let first = (tracked.slot, Leg::Remote, Method::Timestamp);
            let own = counts.distributions.range(first..).take_while(|((slot, _, _), _)| *slot == tracked.slot);
            for ((_, leg, method), histogram) in own {
                sums.entry((Subject::Vni(vni), *leg, *method)).or_default().merge(histogram);
                sums.entry((Subject::Peer(peer), *leg, *method)).or_default().merge(histogram);
            }
        }
        Self(sums)
    }

    /// The buckets that are not empty.
    pub(super) fn buckets(&self, subject: Subject, (leg, method): (Leg, Method)) -> Option<Buckets> {
        let [buckets @ .., longer] = &self.0.get(&(subject, leg, method))?.buckets;
        let indexes = histogram::FIRST_INDEX..;
        let buckets = indexes.zip(buckets).filter(|(_, count)| **count != 0).map(|(index, count)| (index, *count));
        Some(Buckets { schema: 3, buckets: buckets.collect(), longer: *longer })
    }
}
