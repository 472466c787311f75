//! First-fragment memory: only the first fragment of an outer packet tells whose it is; the later ones are
//! attributed through what is remembered of it.
//!
//! A direct-mapped table of single words: tag of (source, destination, protocol, identification), owner, time. One
//! store is one update. Open vSwitch sends every packet with identification 0, so between one pair of nodes the
//! newest first fragment wins.

use crate::flow::mix;
use crate::packet::Ip;
use crate::tables::Tables;

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

/// Remembers the first fragment `ip` for `owner`.
#[inline(always)]
pub fn remember<T: Tables>(tables: &mut T, ip: &Ip, owner: Option<u16>, now_ns: u64) {
    let (index, tag) = place(tables.seed(), ip);
    let owner = owner.unwrap_or(NOT_OURS);
    if let Some(word) = tables.fragment(index) {
        *word = tag | u64::from(owner) << 24 | clock(now_ns);
    }
}

/// Returns whose the later fragment `ip` is.
#[inline(always)]
pub fn recall<T: Tables>(tables: &mut T, ip: &Ip, now_ns: u64) -> Owner {
    let (index, tag) = place(tables.seed(), ip);
    let Some(word) = tables.fragment(index).map(|word| *word) else { return Owner::Unknown };
    let age = clock(now_ns).wrapping_sub(word) & CLOCK;
    if word & TAG != tag || age > LIFETIME {
        return Owner::Unknown;
    }
    match (word >> 24) as u16 {
        NOT_OURS => Owner::NotOurs,
        slot => Owner::Tunnel(slot),
    }
}

const TAG: u64 = 0xffff_ff00_0000_0000;
const CLOCK: u64 = 0x00ff_ffff;

#[inline(always)]
fn clock(now_ns: u64) -> u64 {
    now_ns >> 20 & CLOCK
}

/// The word's index, and the tag in the upper 24 bits, never 0.
#[inline(always)]
fn place(seed: u64, ip: &Ip) -> (u32, u64) {
    let ends = mix(ip.source.0[1] ^ ip.source.0[0] ^ seed) ^ ip.destination.0[1] ^ ip.destination.0[0];
    let hash = mix(mix(ends) ^ u64::from(ip.id) << 8 ^ u64::from(ip.protocol));
    (hash as u32 & (SLOTS - 1), hash & TAG | 1 << 40)
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;
    use crate::heap::HeapTables;
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
        let mut tables = HeapTables::default();
        let start = 5000 * SECOND;
        remember(&mut tables, &ip(7), Some(3), start);
        assert_eq!(recall(&mut tables, &ip(7), start + 29 * SECOND), Owner::Tunnel(3));
        assert_eq!(recall(&mut tables, &ip(7), start + 31 * SECOND), Owner::Unknown);
        assert_eq!(recall(&mut tables, &ip(8), start), Owner::Unknown);
    }

    #[test]
    fn fragments_of_other_datagrams_are_known_as_such() {
        let mut tables = HeapTables::default();
        remember(&mut tables, &ip(7), None, SECOND);
        assert_eq!(recall(&mut tables, &ip(7), SECOND), Owner::NotOurs);
    }
}
