//! The counts of a device as a whole, in the form of a snapshot.

use monitor_common::count::Totals;
use monitor_common::packet::{Class, Malformed};

use crate::counts::Consumed;
use crate::snapshot::{Accounting, Events, Flows, LaterFragments};

pub(super) fn accounting(totals: &Totals, consumed: Consumed) -> Accounting {
    let [rx, tx] = &totals.classes;
    let classes = Class::ALL.map(|class| (class.name(), rx[class as usize] + tx[class as usize]));
    Accounting {
        seen: rx.iter().chain(tx).sum(),
        classes: classes.into(),
        malformed: Malformed::ALL.map(|reason| (reason.name(), totals.malformed[reason as usize])).into(),
        later_fragments: LaterFragments { attributed: totals.attributed, orphan: totals.orphans },
        untracked_packets: totals.untracked.iter().map(|[packets, _]| packets).sum(),
        flows: Flows { inserted: totals.flows_inserted, evicted: totals.flows_evicted },
        events: events(totals, consumed),
    }
}

fn events(totals: &Totals, consumed: Consumed) -> Events {
    let mut events = Events {
        consumed: consumed.consumed,
        delivered: consumed.delivered,
        decode_errors: consumed.decode_errors,
        ..Events::default()
    };
    for outcome in &totals.events {
        events.wanted += outcome.wanted;
        events.submitted += outcome.submitted;
        events.ring_full += outcome.ring_full;
        events.rate_limited += outcome.rate_limited;
    }
    events
}
