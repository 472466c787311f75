//! The counts of a device as a whole, in the form of a snapshot.

use monitor_common::count::Totals;
use monitor_common::count::totals::Outcome;
use monitor_common::event::Kind;
use monitor_common::packet::{Class, Malformed};

use crate::counts::{ByKind, Consumed};
use crate::snapshot::{Accounting, Events, Flows, LaterFragments};

pub(super) fn accounting(totals: &Totals, consumed: &ByKind) -> Accounting {
    let [rx, tx] = &totals.classes;
    let classes = Class::ALL.map(|class| (class.name(), rx[class as usize] + tx[class as usize]));
    let by_kind = Kind::ALL.map(|kind| (kind.name(), events(&totals.events[kind as usize], consumed[kind as usize])));
    Accounting {
        seen: rx.iter().chain(tx).sum(),
        classes: classes.into(),
        malformed: Malformed::ALL.map(|reason| (reason.name(), totals.malformed[reason as usize])).into(),
        later_fragments: LaterFragments { attributed: totals.attributed, orphan: totals.orphans },
        untracked_packets: totals.untracked.iter().map(|[packets, _]| packets).sum(),
        histograms: None,
        flows: Flows { inserted: totals.flows_inserted, evicted: totals.flows_evicted },
        events: by_kind.iter().fold(Events::default(), |sum, (_, events)| sum.plus(events)),
        events_by_kind: by_kind.into(),
    }
}

fn events(outcome: &Outcome, consumed: Consumed) -> Events {
    Events {
        wanted: outcome.wanted,
        submitted: outcome.submitted,
        ring_full: outcome.ring_full,
        rate_limited: outcome.rate_limited,
        consumed: consumed.consumed,
        delivered: consumed.delivered,
        decode_errors: consumed.decode_errors,
    }
}
