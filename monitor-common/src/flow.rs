//! Inner conversations and their table.
//!
//! A flow is (unordered pair of tunnel endpoints, unordered pair of inner address and port, protocol): the two
//! directions of an OVN conversation carry different VNIs, so the VNI is no part of it. One entry serves both
//! directions and fills half a cache line; a bucket of two entries is one line, so a packet costs one look-up. Of
//! the key only a hash is kept, of which the bucket and 23 bits of tag are left.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::frame::UNTRACKED;
use crate::packet::Address;
use crate::rtt::Stamp;

/// Identity of a flow, and the direction of the packet that it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    hash: u64,
    /// Which of the flow's two directions the packet has: 0 or 1.
    pub side: usize,
}

impl Key {
    /// The flow of a packet inside a tunnel from `outer.0` to `outer.1`, whose inner ends are address and port.
    #[inline(always)]
    pub fn new(seed: u64, outer: (Address, Address), inner: [(Address, u16); 2], protocol: u8) -> Self {
        let [from, to] = [end(seed, inner[0]), end(seed, inner[1])];
        let hash = mix(from.wrapping_add(to) ^ pair(outer.0, outer.1) ^ u64::from(protocol));
        Self { hash, side: usize::from(from > to) }
    }

    /// The index of its bucket in a table with one more than `mask` buckets, a power of two.
    #[inline(always)]
    pub fn bucket(self, mask: u32) -> u32 {
        self.hash as u32 & mask
    }

    /// The tag in the upper 24 bits; never 0.
    #[inline(always)]
    fn tag(self) -> u32 {
        (self.hash >> 32) as u32 & TAG | 0x100
    }
}

#[inline(always)]
fn end(seed: u64, (address, port): (Address, u16)) -> u64 {
    mix(address.0[0].rotate_left(25) ^ address.0[1] ^ u64::from(port) << 48 ^ seed)
}

/// A number of an unordered pair, one of which is nearly always this node.
#[inline(always)]
fn pair(a: Address, b: Address) -> u64 {
    a.0[1] ^ b.0[1] ^ (a.0[0] ^ b.0[0]).rotate_left(25)
}

/// Spreads a word over all its bits: those of the product's upper half depend on every bit of the word.
#[inline(always)]
pub(crate) fn mix(word: u64) -> u64 {
    let product = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product >> 32
}

const TAG: u32 = 0xffff_ff00;

/// A flow's entry. All zero: free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Flow {
    /// The tag, and in the lowest byte the period of the last event.
    tag: u32,
    /// Per direction the sequence number of the data that was stamped.
    pub(crate) sequence: [u32; 2],
    /// Per direction the slot of the tunnel whose packet was stamped.
    pub(crate) tunnel: [u16; 2],
    /// Per direction the packet that waits for its answer.
    pub(crate) stamp: [Stamp; 2],
}

/// The entries that a hash leads to; one cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Bucket {
    ways: [Flow; 2],
}

/// What inserting a flow did to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It was there.
    Found,
    /// It took a free entry.
    Free,
    /// It took the entry of another flow, the one that was quiet for longer.
    Evicted,
}

impl Flow {
    fn fresh(key: Key, now: u32) -> Self {
        Self { tag: key.tag(), sequence: [0; 2], tunnel: [UNTRACKED; 2], stamp: [Stamp::closed(0, now); 2] }
    }

    #[inline(always)]
    fn is_of(&self, key: Key) -> bool {
        (self.tag ^ key.tag()) & TAG == 0
    }

    /// What waits in a direction, and the slot of its tunnel.
    #[inline(always)]
    pub(crate) fn awaited(&self, side: usize) -> (Stamp, u16) {
        (self.stamp[side & 1], self.tunnel[side & 1])
    }

    /// Says whether an event of this flow may be sent in `period`, and remembers that it was.
    #[inline(always)]
    pub(crate) fn may_report(&mut self, period: u8) -> bool {
        let is_new = self.tag as u8 != period;
        self.tag = self.tag & TAG | u32::from(period);
        is_new
    }

    /// When one of its packets was last stamped or matched.
    fn touched(&self) -> u32 {
        let [a, b] = [self.stamp[0].time(), self.stamp[1].time()];
        if (a.wrapping_sub(b) as i32) < 0 { b } else { a }
    }
}

impl Bucket {
    /// The flow's entry, when it has one.
    #[inline(always)]
    pub fn find(&mut self, key: Key) -> Option<&mut Flow> {
        let [first, second] = &mut self.ways;
        if first.is_of(key) {
            return Some(first);
        }
        if second.is_of(key) { Some(second) } else { None }
    }

    /// The flow's entry, made at `now` (ticks of [`crate::rtt`]) when it has none.
    #[inline(always)]
    pub fn find_or_insert(&mut self, key: Key, now: u32) -> (&mut Flow, Inserted) {
        let [first, second] = &mut self.ways;
        if first.is_of(key) {
            return (first, Inserted::Found);
        }
        if second.is_of(key) {
            return (second, Inserted::Found);
        }
        let first_is_older = (first.touched().wrapping_sub(second.touched()) as i32) < 0;
        let (way, inserted) = if first.tag == 0 {
            (first, Inserted::Free)
        } else if second.tag == 0 {
            (second, Inserted::Free)
        } else if first_is_older {
            (first, Inserted::Evicted)
        } else {
            (second, Inserted::Evicted)
        };
        *way = Flow::fresh(key, now);
        (way, inserted)
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    fn address(last: u8) -> Address {
        Address::from(Ipv4Addr::new(10, 0, 0, last))
    }

    fn key(from: (u8, u16), to: (u8, u16)) -> Key {
        let inner = [(address(from.0), from.1), (address(to.0), to.1)];
        Key::new(7, (address(101), address(102)), inner, 6)
    }

    #[test]
    fn both_directions_have_one_key_and_two_sides() {
        let (there, back) = (key((1, 40000), (2, 443)), key((2, 443), (1, 40000)));
        assert_eq!(there.hash, back.hash);
        assert_ne!(there.side, back.side);
        let inner = [(address(2), 443), (address(1), 40000)];
        let swapped = Key::new(7, (address(102), address(101)), inner, 6);
        assert_eq!(swapped, back);
    }

    #[test]
    fn ports_addresses_endpoints_and_protocol_all_tell_flows_apart() {
        let base = key((1, 40000), (2, 443));
        assert_ne!(base.hash, key((1, 40001), (2, 443)).hash);
        assert_ne!(base.hash, key((1, 443), (2, 40000)).hash);
        assert_ne!(base.hash, key((3, 40000), (2, 443)).hash);
        let inner = [(address(1), 40000), (address(2), 443)];
        assert_ne!(base.hash, Key::new(7, (address(101), address(103)), inner, 6).hash);
        assert_ne!(base.hash, Key::new(7, (address(101), address(102)), inner, 17).hash);
    }

    #[test]
    fn a_full_bucket_gives_up_its_quietest_flow() {
        let mut bucket = Bucket::default();
        let keys = [key((1, 1), (2, 2)), key((1, 3), (2, 2)), key((1, 5), (2, 2))];
        assert_eq!(bucket.find_or_insert(keys[0], 10).1, Inserted::Free);
        assert_eq!(bucket.find_or_insert(keys[1], 20).1, Inserted::Free);
        assert_eq!(bucket.find_or_insert(keys[0], 25).1, Inserted::Found);
        assert_eq!(bucket.find_or_insert(keys[2], 30).1, Inserted::Evicted);
        assert!(bucket.find(keys[0]).is_none());
        assert!(bucket.find(keys[1]).is_some() && bucket.find(keys[2]).is_some());
    }

    #[test]
    fn an_event_is_due_once_a_period() {
        let mut flow = Flow::fresh(key((1, 1), (2, 2)), 0);
        assert!(flow.may_report(3) && !flow.may_report(3) && flow.may_report(4));
    }
}
