//! What is counted of one device as a whole.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::Share;
use crate::event::{KINDS, Kind};
use crate::frame::Direction;
use crate::packet::Class;
use crate::packet::class::CLASSES;

/// Devices that can be told apart: a device's totals stand at its index modulo this.
pub const DEVICES: u32 = 64;

/// What became of the events of one kind: `wanted = submitted + ring_full + rate_limited`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Outcome {
    /// Events that something asked for.
    pub wanted: u64,
    /// Events in the ring buffer, read or not.
    pub submitted: u64,
    /// Events that found the ring buffer full.
    pub ring_full: u64,
    /// Events that came too soon after others.
    pub rate_limited: u64,
    /// Period of the limit in the upper half, events in it in the lower one.
    limit: u64,
}

/// Events of one kind that a processor may send within 2^20 ns.
const BURST: u32 = 16;

impl Outcome {
    /// Counts an event that is wanted at `now_ns`; says whether the rate allows it, if it is limited.
    #[inline(always)]
    pub fn admit(&mut self, now_ns: u64, is_limited: bool) -> bool {
        self.wanted += 1;
        let period = (now_ns >> 20) as u32;
        let used = if (self.limit >> 32) as u32 == period { self.limit as u32 } else { 0 };
        if is_limited && used >= BURST {
            self.rate_limited += 1;
            return false;
        }
        self.limit = u64::from(period) << 32 | u64::from(used + 1);
        true
    }

    /// Counts an event that was offered to the ring buffer.
    #[inline(always)]
    pub fn offered(&mut self, was_taken: bool) {
        if was_taken {
            self.submitted += 1;
        } else {
            self.ring_full += 1;
        }
    }
}

/// What is counted of one device as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Totals {
    /// Wire packets per [`Direction`] and [`Class`]; those of class `geneve` stand in the counters of their tunnels and
    /// in `untracked`, and here only once the counts have been read.
    pub classes: [[u64; CLASSES]; 2],
    /// Wire packets of class `malformed` per [`crate::packet::Malformed`]; as many as a mask of three bits can name.
    pub malformed: [u64; 8],
    /// Later outer fragments that were attributed to a tunnel.
    pub attributed: u64,
    /// Later outer fragments whose first one was not seen.
    pub orphans: u64,
    /// Per [`Direction`] the packets of class `geneve` whose tunnel has no slot: packets and bytes.
    pub untracked: [[u64; 2]; 2],
    /// Flows that took a free entry.
    pub flows_inserted: u64,
    /// Flows that took the entry of another one.
    pub flows_evicted: u64,
    /// Per [`Kind`] of events.
    pub events: [Outcome; KINDS],
}

impl Totals {
    /// Counts wire packets of a class.
    #[inline(always)]
    pub fn seen(&mut self, direction: Direction, class: Class, packets: u32) {
        let classes = match direction {
            Direction::Rx => &mut self.classes[0],
            Direction::Tx => &mut self.classes[1],
        };
        // The match spares the bounds check that an index would bring.
        let count = match class {
            Class::Other => &mut classes[0],
            Class::Geneve => &mut classes[1],
            Class::Control => &mut classes[2],
            Class::Opaque => &mut classes[3],
            Class::Malformed => &mut classes[4],
            Class::Fragment => &mut classes[5],
            Class::IcmpError => &mut classes[6],
        };
        *count += u64::from(packets);
    }

    /// Counts a packet whose tunnel has no slot.
    #[inline(always)]
    pub fn untracked(&mut self, direction: Direction, share: Share) {
        let [packets, bytes] = match direction {
            Direction::Rx => &mut self.untracked[0],
            Direction::Tx => &mut self.untracked[1],
        };
        *packets += u64::from(share.packets);
        *bytes += share.bytes;
    }

    /// Counts why packets are malformed; `reason` is the index of a
    /// [`crate::packet::Malformed`].
    #[inline(always)]
    pub fn rejected(&mut self, reason: u8, packets: u32) {
        self.malformed[usize::from(reason) & 7] += u64::from(packets);
    }

    /// The outcome of events of `kind`.
    #[inline(always)]
    pub fn outcome(&mut self, kind: Kind) -> &mut Outcome {
        match kind {
            Kind::Rtt => &mut self.events[0],
            Kind::Fragment => &mut self.events[1],
            Kind::IcmpError => &mut self.events[2],
            Kind::Retransmit => &mut self.events[3],
            Kind::Handshake => &mut self.events[4],
            Kind::Drop => &mut self.events[5],
        }
    }

    /// Adds what another processor counted.
    pub fn merge(&mut self, other: &Self) {
        self.combine(other, u64::wrapping_add);
    }

    /// Takes away what was counted before.
    pub fn subtract(&mut self, before: &Self) {
        self.combine(before, u64::wrapping_sub);
    }

    fn combine(&mut self, other: &Self, with: fn(u64, u64) -> u64) {
        let apply = |own: &mut u64, other: &u64| *own = with(*own, *other);
        let each =
            |own: &mut [u64], other: &[u64]| own.iter_mut().zip(other).for_each(|(own, other)| apply(own, other));
        each(self.classes.as_flattened_mut(), other.classes.as_flattened());
        each(&mut self.malformed, &other.malformed);
        each(self.untracked.as_flattened_mut(), other.untracked.as_flattened());
        apply(&mut self.attributed, &other.attributed);
        apply(&mut self.orphans, &other.orphans);
        apply(&mut self.flows_inserted, &other.flows_inserted);
        apply(&mut self.flows_evicted, &other.flows_evicted);
        for (own, other) in self.events.iter_mut().zip(&other.events) {
            apply(&mut own.wanted, &other.wanted);
            apply(&mut own.submitted, &other.submitted);
            apply(&mut own.ring_full, &other.ring_full);
            apply(&mut own.rate_limited, &other.rate_limited);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_events_is_limited_and_every_event_is_accounted_for() {
        let mut outcome = Outcome::default();
        for event in 0..100 {
            if outcome.admit(event * 1000, true) {
                outcome.offered(event % 2 == 0);
            }
        }
        assert_eq!((outcome.wanted, outcome.submitted + outcome.ring_full, outcome.rate_limited), (100, 16, 84));
        assert!(outcome.admit(1 << 21, true));
    }
}
