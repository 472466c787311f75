//! What is counted: per tunnel, and per device as a whole. One copy a processor, so plain additions are exact.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::event::{KINDS, Kind};
use crate::frame::{Direction, Frame};
use crate::packet::Class;
use crate::packet::class::CLASSES;
use crate::rtt::{LEGS, Leg, METHODS, Method, Sample};

/// Devices that can be told apart: a device's totals stand at its index modulo this.
pub const DEVICES: u32 = 64;

/// The tunnel packets of one direction; all counts are of wire packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Traffic {
    /// Packets of class `geneve`.
    pub packets: u64,
    /// Their bytes, layer 2 without FCS.
    pub bytes: u64,
    /// Outer fragments, first ones and attributed later ones.
    pub outer_fragments: u64,
    /// Packets whose inner packet is a fragment.
    pub inner_fragments: u64,
    /// Longest outer IP packet, in bytes.
    pub outer_longest: u32,
    /// Longest inner IP packet, in bytes.
    pub inner_longest: u32,
    /// Least overhead, from the outer IP header to the inner one, in bytes; 0: no packet yet.
    pub overhead_least: u16,
    /// Most overhead, in bytes.
    pub overhead_most: u16,
    reserved: u32,
}

/// What one packet adds to [`Traffic`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Packets on the wire.
    pub packets: u32,
    /// Their bytes.
    pub bytes: u64,
    /// Longest outer IP packet.
    pub outer_length: u32,
    /// Longest inner IP packet.
    pub inner_length: u32,
    /// Overhead; 0 when there is no inner IP packet.
    pub overhead: u16,
}

/// Where the IP headers of a tunnel packet stand and what they announce, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Where the outer IP header begins.
    pub outer_offset: u32,
    /// Outer IP length.
    pub outer_length: u32,
    /// Where the inner IP header begins; 0 when there is none.
    pub inner_offset: u32,
    /// Inner IP length.
    pub inner_length: u32,
    /// Where the innermost payload begins: what each segment of a super-frame repeats.
    pub headers: u32,
}

impl Share {
    /// A frame that is one packet.
    #[inline(always)]
    pub fn whole(frame: &Frame, outer_length: u32, inner_length: u32, overhead: u16) -> Self {
        Self { packets: 1, bytes: u64::from(frame.on_wire_length()), outer_length, inner_length, overhead }
    }

    /// What a frame of this extent is on the wire.
    #[inline(always)]
    pub fn new(frame: &Frame, extent: Extent) -> Self {
        let wire = frame.on_wire(extent.headers);
        let segment = extent.headers + frame.segment_size;
        let is_cut = wire.packets > 1;
        let has_inner = extent.inner_offset != 0;
        Self {
            packets: wire.packets,
            bytes: wire.bytes,
            outer_length: if is_cut { segment.saturating_sub(extent.outer_offset) } else { extent.outer_length },
            inner_length: if is_cut && has_inner {
                segment.saturating_sub(extent.inner_offset)
            } else {
                extent.inner_length
            },
            overhead: if has_inner { (extent.inner_offset - extent.outer_offset) as u16 } else { 0 },
        }
    }
}

impl Traffic {
    /// Adds one packet of class `geneve`.
    #[inline(always)]
    pub fn add(&mut self, share: Share) {
        self.packets += u64::from(share.packets);
        self.bytes += share.bytes;
        if share.outer_length > self.outer_longest {
            self.outer_longest = share.outer_length;
        }
        if share.inner_length > self.inner_longest {
            self.inner_longest = share.inner_length;
        }
        // Nearly always equal, and then neither extreme moves.
        if share.overhead != self.overhead_most {
            self.add_overhead(share.overhead);
        }
    }

    #[inline(always)]
    fn add_overhead(&mut self, overhead: u16) {
        if overhead > self.overhead_most {
            self.overhead_most = overhead;
        }
        // 0 stands for none: one less than that is more than any overhead.
        if overhead != 0 && self.overhead_least.wrapping_sub(1) >= overhead {
            self.overhead_least = overhead;
        }
    }

    /// Adds what another processor, or another tunnel, counted.
    pub fn merge(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.outer_fragments += other.outer_fragments;
        self.inner_fragments += other.inner_fragments;
        self.outer_longest = self.outer_longest.max(other.outer_longest);
        self.inner_longest = self.inner_longest.max(other.inner_longest);
        self.overhead_most = self.overhead_most.max(other.overhead_most);
        self.overhead_least = match (self.overhead_least, other.overhead_least) {
            (0, least) | (least, 0) => least,
            (a, b) => a.min(b),
        };
    }

    fn subtract(&mut self, before: &Self) {
        self.packets -= before.packets;
        self.bytes -= before.bytes;
        self.outer_fragments -= before.outer_fragments;
        self.inner_fragments -= before.inner_fragments;
    }
}

/// Number and sum of samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Matches {
    /// Samples.
    pub count: u64,
    /// Sum of their times, in nanoseconds.
    pub sum_ns: u64,
}

/// What is counted of one tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Counters {
    /// Per [`Direction`].
    pub traffic: [Traffic; 2],
    /// Per [`Leg`] and [`Method`].
    pub matches: [[Matches; METHODS]; LEGS],
}

impl Counters {
    /// The traffic of a direction.
    #[inline(always)]
    pub fn traffic_mut(&mut self, direction: Direction) -> &mut Traffic {
        match direction {
            Direction::Rx => &mut self.traffic[0],
            Direction::Tx => &mut self.traffic[1],
        }
    }

    /// Counts a sample.
    #[inline(always)]
    pub fn matched(&mut self, leg: Leg, sample: &Sample) {
        let methods = if leg as usize == 0 { &mut self.matches[0] } else { &mut self.matches[1] };
        let matches = match sample.method {
            Method::Timestamp => &mut methods[0],
            Method::Handshake => &mut methods[1],
            Method::Echo => &mut methods[2],
        };
        matches.count += 1;
        matches.sum_ns += sample.rtt_ns;
    }

    /// Adds what another processor, or another tunnel, counted.
    pub fn merge(&mut self, other: &Self) {
        self.traffic.iter_mut().zip(&other.traffic).for_each(|(own, other)| own.merge(other));
        self.combine_matches(other, u64::wrapping_add);
    }

    /// Takes away what was counted before; what is longest, least or most stays.
    pub fn subtract(&mut self, before: &Self) {
        self.traffic.iter_mut().zip(&before.traffic).for_each(|(own, before)| own.subtract(before));
        self.combine_matches(before, u64::wrapping_sub);
    }

    fn combine_matches(&mut self, other: &Self, with: fn(u64, u64) -> u64) {
        for (own, other) in self.matches.as_flattened_mut().iter_mut().zip(other.matches.as_flattened()) {
            own.count = with(own.count, other.count);
            own.sum_ns = with(own.sum_ns, other.sum_ns);
        }
    }
}

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
    /// Counts an event that is wanted at `now_ns`; says whether the rate allows it.
    #[inline(always)]
    pub fn admit(&mut self, now_ns: u64) -> bool {
        self.wanted += 1;
        let period = (now_ns >> 20) as u32;
        let used = if (self.limit >> 32) as u32 == period { self.limit as u32 } else { 0 };
        if used >= BURST {
            self.rate_limited += 1;
            return false;
        }
        self.limit = u64::from(period) << 32 | u64::from(used + 1);
        true
    }

    /// Counts an event that is wanted but whose flow sent one a moment ago.
    #[inline(always)]
    pub fn suppress(&mut self) {
        self.wanted += 1;
        self.rate_limited += 1;
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
    /// Wire packets per [`Direction`] and [`Class`].
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
            if outcome.admit(event * 1000) {
                outcome.offered(event % 2 == 0);
            }
        }
        assert_eq!((outcome.wanted, outcome.submitted + outcome.ring_full, outcome.rate_limited), (100, 16, 84));
        assert!(outcome.admit(1 << 21));
    }

    #[test]
    fn extremes_are_kept_and_merged() {
        let mut traffic = Traffic::default();
        for (inner_length, overhead) in [(100, 58), (1442, 50), (0, 0), (60, 66)] {
            traffic.add(Share { packets: 1, bytes: 10, outer_length: inner_length + 58, inner_length, overhead });
        }
        assert_eq!((traffic.packets, traffic.bytes), (4, 40));
        assert_eq!((traffic.inner_longest, traffic.overhead_least, traffic.overhead_most), (1442, 50, 66));
        let mut sum = Traffic::default();
        sum.merge(&traffic);
        assert_eq!(sum, traffic);
    }
}
