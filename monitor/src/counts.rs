//! What was counted on one device, from the kernel's maps or from tables in memory.

use monitor_common::count::{Counters, Totals};
use monitor_common::event::KINDS;
use monitor_common::heap::HeapTables;
use monitor_common::packet::Class;
use monitor_common::tunnel::Tunnel;

/// All counts of one device since the start.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// The device as a whole.
    pub totals: Totals,
    /// Each tunnel that has a slot.
    pub tunnels: Vec<Tracked>,
}

/// A tunnel and what was counted of it.
#[derive(Clone, Copy, Debug)]
pub struct Tracked {
    /// The tunnel.
    pub tunnel: Tunnel,
    /// Its counts.
    pub counters: Counters,
}

impl Counts {
    /// The counts as of one moment, although the maps were read one after the other while packets went on: the tunnels
    /// were read last, so what they hold is what there is of class `geneve`, and an event that was wanted but not yet
    /// decided upon is left to the next time. At rest this changes nothing.
    pub fn settled(mut self) -> Self {
        for direction in 0..2 {
            let tracked: u64 = self.tunnels.iter().map(|tracked| tracked.counters.traffic[direction].packets).sum();
            self.totals.classes[direction][Class::Geneve as usize] = tracked + self.totals.untracked[direction][0];
        }
        for outcome in &mut self.totals.events {
            outcome.wanted = outcome.submitted + outcome.ring_full + outcome.rate_limited;
        }
        self
    }

    /// The counts of `device` in tables that were filled by a capture.
    pub fn of(tables: &HeapTables, device: u32) -> Self {
        let tunnels = tables
            .tracked()
            .filter(|(_, tunnel, _)| tunnel.device() == device)
            .map(|(_, tunnel, counters)| Tracked { tunnel: *tunnel, counters: *counters })
            .collect();
        Self { totals: *tables.totals_of(device), tunnels }
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
