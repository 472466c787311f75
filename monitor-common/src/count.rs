//! What is counted: per tunnel here, per device as a whole in [`totals`]. One copy a processor, so plain additions are
//! exact.

pub mod totals;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::frame::{Direction, Frame};
use crate::rtt::{LEGS, Leg, METHODS, Method};
use crate::tunnel::Tunnel;

pub use totals::{DEVICES, Totals};

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
    /// Packets of class `geneve` over IPv4 whose DF bit is clear: their sender lets routers cut them.
    pub outer_df_clear: u64,
    /// Longest outer IP packet, in bytes; [`LONGEST`] stands for that and more.
    pub outer_longest: u16,
    /// Longest inner IP packet, likewise.
    pub inner_longest: u16,
    /// Least overhead, from the outer IP header to the inner one, in bytes; 0: no packet yet.
    pub overhead_least: u16,
    /// Most overhead, in bytes.
    pub overhead_most: u16,
}

/// The most that a length says: only IPv6 has longer packets, by the length of its header.
pub const LONGEST: u16 = u16::MAX;

/// What one packet adds to [`Traffic`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Packets on the wire.
    pub packets: u32,
    /// Their bytes.
    pub bytes: u64,
    /// Longest outer IP packet; [`LONGEST`] stands for that and more.
    pub outer_length: u32,
    /// Longest inner IP packet, likewise.
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
        let bytes = u64::from(frame.on_wire_length());
        Self { packets: 1, bytes, outer_length, inner_length, overhead }
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
            outer_length: at_most_longest(if is_cut {
                segment.saturating_sub(extent.outer_offset)
            } else {
                extent.outer_length
            }),
            inner_length: at_most_longest(if is_cut && has_inner {
                segment.saturating_sub(extent.inner_offset)
            } else {
                extent.inner_length
            }),
            overhead: if has_inner { (extent.inner_offset - extent.outer_offset) as u16 } else { 0 },
        }
    }
}

impl Traffic {
    /// Adds one packet of class `geneve`.
    #[inline(always)]
    pub fn add(&mut self, share: Share) {
        self.add_usual(share);
        // Nearly always equal, and then neither extreme moves.
        if share.overhead != self.overhead_most {
            self.add_overhead(share.overhead);
        }
    }

    /// Says whether an overhead, which is not 0, moves neither extreme.
    #[inline(always)]
    pub fn is_usual(&self, overhead: u16) -> bool {
        overhead == self.overhead_most || (overhead < self.overhead_most && overhead >= self.overhead_least)
    }

    /// The same as [`Self::add`] for a packet whose overhead [`Self::is_usual`].
    #[inline(always)]
    pub fn add_usual(&mut self, share: Share) {
        self.packets += u64::from(share.packets);
        self.bytes += share.bytes;
        if share.outer_length > u32::from(self.outer_longest) {
            self.outer_longest = share.outer_length as u16;
        }
        if share.inner_length > u32::from(self.inner_longest) {
            self.inner_longest = share.inner_length as u16;
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
        self.outer_df_clear += other.outer_df_clear;
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
        self.outer_df_clear -= before.outer_df_clear;
    }
}

#[inline(always)]
fn at_most_longest(length: u32) -> u32 {
    if length < u32::from(LONGEST) { length } else { u32::from(LONGEST) }
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

/// What is counted of one tunnel. With thousands of tunnels each cache line counts: a packet needs the first line and that
/// of its direction, its sample the first line of its tunnel and that of its leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Counters {
    /// The tunnel, once this processor has seen a packet of it: key and counts are found by one look-up.
    pub tunnel: Tunnel,
    /// Samples without an event, because their flow had sent one a moment before.
    pub held_back: u64,
    /// Per [`Leg`] and [`Method`] the index of this processor's histogram, or [`crate::histogram::NONE`].
    pub histograms: [[u16; METHODS]; LEGS],
    /// The slot.
    pub slot: u16,
    reserved: u16,
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

    /// Counts a sample of `rtt_ns`.
    #[inline(always)]
    pub fn matched(&mut self, leg: Leg, method: Method, rtt_ns: u64) {
        let methods = match leg {
            Leg::Remote => &mut self.matches[0],
            Leg::Local => &mut self.matches[1],
        };
        let matches = match method {
            Method::Timestamp => &mut methods[0],
            Method::Handshake => &mut methods[1],
            Method::Echo => &mut methods[2],
        };
        matches.count += 1;
        matches.sum_ns += rtt_ns;
    }

    /// The index of the histogram of a leg and method.
    #[inline(always)]
    pub fn histogram_mut(&mut self, leg: Leg, method: Method) -> &mut u16 {
        let methods = match leg {
            Leg::Remote => &mut self.histograms[0],
            Leg::Local => &mut self.histograms[1],
        };
        match method {
            Method::Timestamp => &mut methods[0],
            Method::Handshake => &mut methods[1],
            Method::Echo => &mut methods[2],
        }
    }

    /// Adds what another processor, or another tunnel, counted; the histograms are added up by who can read them.
    pub fn merge(&mut self, other: &Self) {
        self.traffic.iter_mut().zip(&other.traffic).for_each(|(own, other)| own.merge(other));
        self.combine_matches(other, u64::wrapping_add);
        self.held_back += other.held_back;
    }

    /// Takes away what was counted before; what is longest, least or most stays.
    pub fn subtract(&mut self, before: &Self) {
        self.traffic.iter_mut().zip(&before.traffic).for_each(|(own, before)| own.subtract(before));
        self.combine_matches(before, u64::wrapping_sub);
        self.held_back -= before.held_back;
    }

    fn combine_matches(&mut self, other: &Self, with: fn(u64, u64) -> u64) {
        for (own, other) in self.matches.as_flattened_mut().iter_mut().zip(other.matches.as_flattened()) {
            own.count = with(own.count, other.count);
            own.sum_ns = with(own.sum_ns, other.sum_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_length_beyond_the_longest_is_the_longest() {
        let frame = Frame::new(1, Direction::Rx, 0x2_0000);
        let extent = Extent { outer_length: 0x1_0001, inner_length: 0xffff, ..Extent::default() };
        let share = Share::new(&frame, extent);
        assert_eq!((share.outer_length, share.inner_length), (u32::from(LONGEST), 0xffff));
    }
}
