//! Inner conversations and their table.
//!
//! A flow is (unordered pair of tunnel endpoints, unordered pair of inner address and port, protocol): the two
//! directions of an OVN conversation carry different VNIs, so the VNI is no part of it. One entry serves both
//! directions and fills half a cache line; a bucket of two entries is one line, so a packet costs one look-up. Of
//! the key only a hash is kept, of which the bucket and 23 bits of tag are left.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::frame::UNTRACKED;
use crate::packet::{Address, Packet};
use crate::rtt::Stamp;

/// Identity of a flow, and the direction of the packet that it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    hash: u64,
    /// Which of the flow's two directions the packet has: 0 or 1.
    pub side: usize,
}

impl Key {
    /// The flow of what a tunnel packet carries.
    #[inline(always)]
    pub fn of(packet: &Packet, seed: u64, endpoints: u64) -> Self {
        let inner = &packet.inner;
        let [from, to] = [packet.inner_source_port.to_be(), packet.inner_destination_port.to_be()];
        let ends = match inner.version {
            6 => [end_v6(inner.source, from), end_v6(inner.destination, to)],
            _ => [end_v4(inner.source.raw_v4(), from), end_v4(inner.destination.raw_v4(), to)],
        };
        Self::new(seed, endpoints, ends, inner.protocol)
    }

    /// The flow of a packet whose inner ends ([`end_v4`], [`end_v6`]) are `from` and `to`, in a tunnel with these
    /// endpoints ([`crate::tunnel::Tunnel::endpoints`]).
    #[inline(always)]
    pub fn new(seed: u64, endpoints: u64, [from, to]: [u64; 2], protocol: u8) -> Self {
        // Of odd factors a product forgets nothing, and their order does not matter to it.
        let product = odd(from ^ seed).wrapping_mul(odd(to ^ seed));
        let hash = mix(mix(product) ^ endpoints ^ u64::from(protocol) << 24);
        // The sign of the difference: the other direction has the other one.
        Self { hash, side: (from.wrapping_sub(to) >> 63) as usize }
    }

    /// The index of its bucket in a table with one more than `mask` buckets, a power of two.
    #[inline(always)]
    pub fn bucket(self, mask: u32) -> u32 {
        self.hash as u32 & mask
    }

    /// 24 bits, never 0.
    #[inline(always)]
    fn tag(self) -> u32 {
        (self.hash >> 40) as u32 | 1
    }
}

#[inline(always)]
fn odd(word: u64) -> u64 {
    word << 1 | 1
}

/// An inner end: an IPv4 address and a port, both as they lie in memory.
#[inline(always)]
pub fn end_v4(address: u32, port: u16) -> u64 {
    u64::from(address) << 16 ^ u64::from(port)
}

/// An inner end: an IPv6 address and a port, both as they lie in memory.
#[inline(always)]
pub fn end_v6(address: Address, port: u16) -> u64 {
    mix(fold(address)) ^ u64::from(port)
}

#[inline(always)]
fn fold(address: Address) -> u64 {
    address.0[0].rotate_left(25) ^ address.0[1]
}

/// 2^64 divided by the golden ratio, odd: multiples of it are spread evenly.
pub(crate) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads a word over all its bits: those of the product's upper half depend on every bit of the word.
#[inline(always)]
pub(crate) fn mix(word: u64) -> u64 {
    let product = word.wrapping_mul(GOLDEN);
    product ^ product >> 32
}

/// A flow's entry. All zero: free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Flow {
    /// In the upper 24 bits the tag, in the lowest byte the period of the last event.
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
        Self { tag: key.tag() << 8, sequence: [0; 2], tunnel: [UNTRACKED; 2], stamp: [Stamp::closed(0, now); 2] }
    }

    #[inline(always)]
    fn is_of(&self, key: Key) -> bool {
        self.tag >> 8 == key.tag()
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
        self.tag = self.tag & !0xff | u32::from(period);
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
    use core::net::{IpAddr, Ipv6Addr};

    use super::*;

    fn address(last: u8) -> u32 {
        u32::from_ne_bytes([10, 0, 0, last])
    }

    fn key(from: (u8, u16), to: (u8, u16)) -> Key {
        Key::new(7, 100, [from, to].map(end), 6)
    }

    fn end((last, port): (u8, u16)) -> u64 {
        end_v4(address(last), port)
    }

    #[test]
    fn both_directions_have_one_key_and_two_sides() {
        let (there, back) = (key((1, 40000), (2, 443)), key((2, 443), (1, 40000)));
        assert_eq!(there.hash, back.hash);
        assert_ne!(there.side, back.side);
    }

    #[test]
    fn ports_addresses_endpoints_and_protocol_all_tell_flows_apart() {
        let base = key((1, 40000), (2, 443));
        assert_ne!(base.hash, key((1, 40001), (2, 443)).hash);
        assert_ne!(base.hash, key((1, 443), (2, 40000)).hash);
        assert_ne!(base.hash, key((3, 40000), (2, 443)).hash);
        let inner = [(1, 40000), (2, 443)].map(end);
        assert_ne!(base.hash, Key::new(7, 101, inner, 6).hash);
        assert_ne!(base.hash, Key::new(7, 100, inner, 17).hash);
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

    /// The number of pairs of keys that share bucket and tag, and the most keys of one bucket, in 4096 buckets.
    fn collisions(keys: impl Iterator<Item = Key>) -> (usize, usize) {
        let (mut seen, mut load) = (std::collections::HashMap::new(), [0usize; 4096]);
        for key in keys {
            load[key.bucket(4095) as usize] += 1;
            *seen.entry((key.bucket(4095), key.tag())).or_insert(0) += 1;
        }
        (seen.values().map(|count| count - 1).sum(), load.into_iter().max().unwrap_or(0))
    }

    #[test]
    fn flows_that_are_alike_are_spread_evenly() {
        let seed = 0x1234_5678_9abc_def1;
        let endpoints = 3;
        let ports = (0..4096).map(|port| Key::new(seed, endpoints, [(1, 32768 + port), (2, 443)].map(end), 6));
        assert_eq!(collisions(ports).0, 0);
        let pods = (0..64).flat_map(|a| (64..128).map(move |b| [(a, 40000), (b, 443)].map(end)));
        let (same, most) = collisions(pods.map(|ends| Key::new(seed, endpoints, ends, 6)));
        assert!(same == 0 && most < 12, "{same} {most}");
        let v6 = |last: u16| Address::from(IpAddr::V6(Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, last)));
        let pods = (0..64).flat_map(|a| (64..128).map(move |b| [end_v6(v6(a), 40000), end_v6(v6(b), 443)]));
        let (same, most) = collisions(pods.map(|ends| Key::new(seed, endpoints, ends, 6)));
        assert!(same == 0 && most < 12, "{same} {most}");
        let keys = (0..=255).map(|endpoints| Key::new(seed, endpoints, [(1, 40000), (2, 443)].map(end), 6));
        assert_eq!(collisions(keys).0, 0);
    }
}
