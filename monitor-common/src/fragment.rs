//! First-fragment memory: only the first fragment of an outer packet tells whose it is; the later ones are
//! attributed through what is remembered of it.
//!
//! A direct-mapped table of single words: tag of (source, destination, protocol, identification), owner, time. One
//! store is one update. Open vSwitch sends every packet with identification 0, so between one pair of nodes the
//! newest first fragment wins.

use crate::flow::mix;
use crate::packet::Ip;

/// Words in the table.
pub const SLOTS: u32 = 4096;

/// Owner of the fragments of a UDP datagram that is not a tunnel's.
const NOT_OURS: u16 = u16::MAX - 1;

/// How long a first fragment is remembered, in units of 2^20 ns: 30 s, Linux's `ipfrag_time`.
const LIFETIME: u64 = 28_610;

/// Whose a later fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// That of the tunnel in this slot, or [`crate::frame::UNTRACKED`].
    Tunnel(u16),
    /// Not a tunnel's.
    NotOurs,
    /// Its first fragment was not seen.
    Unknown,
}

/// A datagram that comes in fragments: where its word stands, and what tells it from others there.
#[derive(Clone, Copy, Debug)]
pub struct Datagram {
    index: u32,
    tag: u64,
}

const TAG: u64 = 0xffff_ff00_0000_0000;
const CLOCK: u64 = 0x00ff_ffff;

impl Datagram {
    /// The datagram of the fragment `ip`.
    #[inline(always)]
    pub fn new(seed: u64, ip: &Ip) -> Self {
        let ends = mix(ip.source.0[1] ^ ip.source.0[0] ^ seed) ^ ip.destination.0[1] ^ ip.destination.0[0];
        let hash = mix(mix(ends) ^ u64::from(ip.id) << 8 ^ u64::from(ip.protocol));
        Self { index: hash as u32 & (SLOTS - 1), tag: hash & TAG | 1 << 40 }
    }

    /// Index of its word.
    #[inline(always)]
    pub fn index(self) -> u32 {
        self.index
    }

    /// The word that remembers its first fragment; `owner` is the slot of a tunnel, or `None` when it is not one's.
    #[inline(always)]
    pub fn word(self, owner: Option<u16>, now_ns: u64) -> u64 {
        self.tag | u64::from(owner.unwrap_or(NOT_OURS)) << 24 | clock(now_ns)
    }

    /// Whose it is, as the word at its index says.
    #[inline(always)]
    pub fn owner(self, word: u64, now_ns: u64) -> Owner {
        let age = clock(now_ns).wrapping_sub(word) & CLOCK;
        if word & TAG != self.tag || age > LIFETIME {
            return Owner::Unknown;
        }
        match (word >> 24) as u16 {
            NOT_OURS => Owner::NotOurs,
            slot => Owner::Tunnel(slot),
        }
    }
}

#[inline(always)]
fn clock(now_ns: u64) -> u64 {
    now_ns >> 20 & CLOCK
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;
    use crate::packet::Address;

    fn ip(id: u32) -> Ip {
        let mut ip = Ip::default();
        ip.source = Address::from(Ipv4Addr::new(192, 0, 2, 1));
        ip.destination = Address::from(Ipv4Addr::new(192, 0, 2, 2));
        (ip.protocol, ip.id) = (17, id);
        ip
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_later_fragment_finds_its_first_for_thirty_seconds() {
        let start = 5000 * SECOND;
        let datagram = Datagram::new(1, &ip(7));
        let word = datagram.word(Some(3), start);
        assert_eq!(datagram.owner(word, start + 29 * SECOND), Owner::Tunnel(3));
        assert_eq!(datagram.owner(word, start + 31 * SECOND), Owner::Unknown);
        assert_eq!(Datagram::new(1, &ip(8)).owner(word, start), Owner::Unknown);
        assert_eq!(datagram.owner(0, start), Owner::Unknown);
    }

    #[test]
    fn fragments_of_other_datagrams_are_known_as_such() {
        let datagram = Datagram::new(1, &ip(7));
        assert_eq!(datagram.owner(datagram.word(None, SECOND), SECOND), Owner::NotOurs);
    }
}
