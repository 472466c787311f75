//! What was counted on one device, from the kernel's maps or from tables in memory.

use std::collections::BTreeMap;

use monitor_common::count::{Counters, Totals};
use monitor_common::event::KINDS;
use monitor_common::event::Kind;
use monitor_common::heap::HeapTables;
use monitor_common::histogram::{self, Histogram};
use monitor_common::packet::Class;
use monitor_common::rtt::{Leg, Method};
use monitor_common::tunnel::Tunnel;

/// All counts of one device since the start.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// The device as a whole.
    pub totals: Totals,
    /// Each tunnel that has a slot.
    pub tunnels: Vec<Tracked>,
    /// The histograms, when they were read.
    pub distributions: Distributions,
    /// What became of the histograms, when they were read.
    pub issued: Issued,
}

/// Histograms of round-trip times by slot of the tunnel, leg and method.
pub type Distributions = BTreeMap<(u16, Leg, Method), Histogram>;

/// How many histograms each processor may issue, and what became of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Issued {
    /// The most.
    pub most: u32,
    /// Those of the processor that has issued most.
    pub issued: u32,
    /// Samples that were counted when none was left: in one histogram a leg and method for all their tunnels.
    pub shared_samples: u64,
}

/// A tunnel and what was counted of it.
#[derive(Clone, Copy, Debug)]
pub struct Tracked {
    /// Its slot.
    pub slot: u16,
    /// The tunnel.
    pub tunnel: Tunnel,
    /// Its counts.
    pub counters: Counters,
}

impl Counts {
    /// Adds to the totals what is counted per tunnel only: the packets of class `geneve`, and the events that were held
    /// back because their flow had sent one a moment before.
    #[must_use]
    pub fn whole(mut self) -> Self {
        for direction in 0..2 {
            let tracked: u64 = self.tunnels.iter().map(|tracked| tracked.counters.traffic[direction].packets).sum();
            self.totals.classes[direction][Class::Geneve as usize] = tracked + self.totals.untracked[direction][0];
        }
        let held_back: u64 = self.tunnels.iter().map(|tracked| tracked.counters.held_back).sum();
        let samples = &mut self.totals.events[Kind::Rtt as usize];
        samples.wanted += held_back;
        samples.rate_limited += held_back;
        self
    }

    /// The counts as of one moment, although the maps were read one after the other while packets went on: an event that
    /// was wanted but not yet decided upon is left to the next time. At rest this changes nothing.
    #[must_use]
    pub fn settled(mut self) -> Self {
        for outcome in &mut self.totals.events {
            outcome.wanted = outcome.submitted + outcome.ring_full + outcome.rate_limited;
        }
        self
    }

    /// The counts of `device` in tables that were filled by a capture.
    pub fn of(tables: &HeapTables, device: u32) -> Self {
        let tunnels: Vec<Tracked> = tables
            .tracked()
            .filter(|(_, tunnel, _)| tunnel.device() == device)
            .map(|(slot, tunnel, counters)| Tracked { slot, tunnel: *tunnel, counters: *counters })
            .collect();
        let mut distributions = Distributions::new();
        for Tracked { slot, counters, .. } in &tunnels {
            for (leg, method) in Leg::ALL.into_iter().flat_map(|leg| Method::ALL.map(|method| (leg, method))) {
                let index = counters.histograms[leg as usize][method as usize];
                if index != histogram::NONE {
                    distributions.insert((*slot, leg, method), *tables.histogram_of(index));
                }
            }
        }
        Self { totals: *tables.totals_of(device), tunnels, distributions, issued: Issued::default() }.whole()
    }
}

/// What became of the events that were read, at the index of their kind.
pub type ByKind = [Consumed; KINDS];

/// What became of the events of one kind that were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consumed {
    /// Records taken out of the ring buffer.
    pub consumed: u64,
    /// Records that were handed on.
    pub delivered: u64,
    /// Records that are none of ours.
    pub decode_errors: u64,
}

impl Consumed {
    /// Counts an event that is handed on.
    pub fn deliver(&mut self) {
        self.consumed += 1;
        self.delivered += 1;
    }

    /// Counts records that are none of ours; `decode_errors` are all so far.
    pub fn reject(&mut self, decode_errors: u64) {
        self.consumed += decode_errors - self.decode_errors;
        self.decode_errors = decode_errors;
    }

    /// What was added since `before`.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            consumed: self.consumed - before.consumed,
            delivered: self.delivered - before.delivered,
            decode_errors: self.decode_errors - before.decode_errors,
        }
    }
}
