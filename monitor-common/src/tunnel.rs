//! The tunnel of a packet and its place in the table of tunnels.
//!
//! A tunnel is (device, local address, peer, VNI). Its hash leads to a pair of slots; the key stands in
//! the slot, and a slot that is taken stays taken. A tunnel that finds both taken is not tracked: its packets are counted
//! as a whole.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::flow::GOLDEN;
use crate::frame::Direction;
use crate::packet::{Address, Packet};

/// The largest table of tunnels, so that a slot number fits into 16 bits with
/// [`crate::frame::UNTRACKED`] to spare.
pub const MAX_SLOTS: u32 = 1 << 15;

/// Set in the identity of a tunnel over IPv6.
const IPV6: u64 = 1 << 30;
/// The bits of an identity that hold the VNI.
const VNI: u64 = 0x00ff_ffff;

/// A tunnel: the key, and the slot's content. All zero: the slot is free.
///
/// The addresses of a tunnel over IPv4 share one word, the peer's in its lower half: one comparison is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Tunnel {
    /// Device index in the upper half; IP version and VNI in the lower one.
    identity: u64,
    /// IPv4: both addresses, then a number of them in any order; IPv6: two words of the peer's, two of the local one.
    ends: [u64; 4],
}

impl Tunnel {
    /// The tunnel of a tunnel packet.
    #[inline(always)]
    pub fn of(packet: &Packet) -> Self {
        let (frame, ends) = (&packet.frame, [packet.outer.source, packet.outer.destination]);
        match packet.outer.version {
            6 => Self::v6(frame.device, packet.vni, ends, frame.direction()),
            _ => {
                let [source, destination] = ends.map(Address::raw_v4).map(u64::from);
                Self::v4(frame.device, packet.vni, destination << 32 | source, frame.direction())
            }
        }
    }

    /// The tunnel of a packet over IPv4; `ends` are its source, in the lower half, and its destination.
    #[inline(always)]
    pub fn v4(device: u32, vni: u32, ends: u64, direction: Direction) -> Self {
        let ends = match direction {
            Direction::Rx => ends,
            Direction::Tx => ends.rotate_left(32),
        };
        let both = u64::from(ends as u32 ^ (ends >> 32) as u32);
        Self { identity: identity(device, vni), ends: [ends, both, 0, 0] }
    }

    /// The tunnel over IPv6 whose packet goes from the first of `ends` to the second.
    #[inline(always)]
    pub fn v6(device: u32, vni: u32, ends: [Address; 2], direction: Direction) -> Self {
        let [source, destination] = ends;
        let (peer, local) = match direction {
            Direction::Rx => (source, destination),
            Direction::Tx => (destination, source),
        };
        Self { identity: identity(device, vni) | IPV6, ends: [peer.0[0], peer.0[1], local.0[0], local.0[1]] }
    }

    /// The same tunnel through a device of another index. It has the same pair of slots: the index is not in the hash.
    #[must_use]
    pub fn through(&self, device: u32) -> Self {
        Self { identity: u64::from(device) << 32 | self.identity & u64::from(u32::MAX), ..*self }
    }

    /// Index of the device.
    pub fn device(&self) -> u32 {
        (self.identity >> 32) as u32
    }

    /// Virtual network identifier.
    pub fn vni(&self) -> u32 {
        (self.identity & VNI) as u32
    }

    /// Address of this end.
    pub fn local(&self) -> Address {
        if self.is_v6() { Address([self.ends[2], self.ends[3]]) } else { Address::v4((self.ends[0] >> 32) as u32) }
    }

    /// Address of the other end.
    pub fn peer(&self) -> Address {
        if self.is_v6() { Address([self.ends[0], self.ends[1]]) } else { Address::v4(self.ends[0] as u32) }
    }

    /// A number of its two ends in any order, for the key of a flow: between two other nodes this one may see both
    /// directions come in.
    #[inline(always)]
    pub(crate) fn endpoints(&self) -> u64 {
        let [a, b, c, d] = self.ends;
        if self.is_v6() { a ^ b ^ c ^ d } else { b }
    }

    #[inline(always)]
    fn is_v6(&self) -> bool {
        self.identity & IPV6 != 0
    }

    /// Compares word by word, the ones that differ most often first; a derived comparison becomes a loop over bytes.
    /// Over IPv4 the other words follow from the first.
    #[inline(always)]
    pub fn is(&self, other: &Self) -> bool {
        self.identity == other.identity
            && self.ends[0] == other.ends[0]
            && (!other.is_v6()
                || self.ends[1] == other.ends[1] && self.ends[2] == other.ends[2] && self.ends[3] == other.ends[3])
    }

    /// Says whether the slot is free.
    #[inline(always)]
    pub fn is_free(&self) -> bool {
        self.identity == 0
    }

    /// The pair of slots that it may have one of, in a table with one more than `mask` pairs, a power of two of at most
    /// 2^14.
    #[inline(always)]
    pub fn pair(&self, seed: u64, mask: u32) -> u32 {
        let [a, b, c, d] = self.ends;
        let ends = if self.is_v6() { a ^ b.rotate_left(32) ^ c.rotate_left(7) ^ d.rotate_left(48) } else { a };
        // The top bits of a product depend on every bit of its factor. The VNI is moved to where the local address stands,
        // which is nearly always the same one: it must not cancel what tells peers apart.
        ((ends ^ self.identity << 32 ^ seed).wrapping_mul(GOLDEN) >> 48) as u32 & mask
    }

    /// Whether it is `tunnel`'s as far as device, VNI and IP version go. For a processor's own copy of the key in a slot
    /// that is known to be the tunnel's: it may be missing, or be of before the device was made anew.
    #[inline(always)]
    pub(crate) fn is_current(&self, tunnel: &Self) -> bool {
        self.identity == tunnel.identity
    }

    /// Takes a free slot for `tunnel`. The identity comes last: until it is there, no other processor takes the slot
    /// for this tunnel's.
    #[inline(always)]
    pub fn occupy(&mut self, tunnel: &Self) {
        self.ends = tunnel.ends;
        self.identity = tunnel.identity;
    }
}

#[inline(always)]
fn identity(device: u32, vni: u32) -> u64 {
    u64::from(device) << 32 | u64::from(vni)
}

#[cfg(test)]
mod tests {
    use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;

    fn v6(last: u16) -> Address {
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)).into()
    }

    fn v4(source: u8, destination: u8) -> u64 {
        u64::from_ne_bytes([192, 0, 2, source, 192, 0, 2, destination])
    }

    #[test]
    fn both_directions_are_one_tunnel_and_its_parts_come_back() {
        let received = Tunnel::v4(3, 70000, v4(2, 1), Direction::Rx);
        assert_eq!(received, Tunnel::v4(3, 70000, v4(1, 2), Direction::Tx));

        assert_eq!((received.device(), received.vni()), (3, 70000));
        assert_eq!(received.peer(), Ipv4Addr::new(192, 0, 2, 2).into());
        assert_eq!(received.local(), Ipv4Addr::new(192, 0, 2, 1).into());
        let sent = Tunnel::v6(3, 0xff_ffff, [v6(1), v6(2)], Direction::Tx);
        assert_eq!(sent, Tunnel::v6(3, 0xff_ffff, [v6(2), v6(1)], Direction::Rx));
        assert_eq!((sent.device(), sent.vni(), sent.peer(), sent.local()), (3, 0xff_ffff, v6(2), v6(1)));
    }

    #[test]
    fn endpoints_have_no_order() {
        let endpoints = |ends| Tunnel::v4(3, 7, ends, Direction::Rx).endpoints();
        assert_eq!(endpoints(v4(1, 2)), endpoints(v4(2, 1)));
        assert_ne!(endpoints(v4(1, 2)), endpoints(v4(1, 3)));
        let endpoints = |from, to| Tunnel::v6(3, 7, [v6(from), v6(to)], Direction::Rx).endpoints();
        assert_eq!(endpoints(1, 2), endpoints(2, 1));
        assert_ne!(endpoints(1, 2), endpoints(1, 3));
    }

    #[test]
    fn every_part_tells_tunnels_apart() {
        let base = Tunnel::v6(3, 7, [v6(1), v6(2)], Direction::Rx);
        assert!(base.is(&base.clone()));
        for other in [
            Tunnel::v6(4, 7, [v6(1), v6(2)], Direction::Rx),
            Tunnel::v6(3, 8, [v6(1), v6(2)], Direction::Rx),
            Tunnel::v6(3, 7, [v6(3), v6(2)], Direction::Rx),
            Tunnel::v6(3, 7, [v6(1), v6(3)], Direction::Rx),
            Tunnel::v4(3, 7, v4(1, 2), Direction::Rx),
        ] {
            assert!(!base.is(&other) && !other.is(&base), "{other:?}");
        }
        let plain = Tunnel::v4(3, 7, v4(1, 2), Direction::Rx);
        assert!(!plain.is(&Tunnel::v4(3, 7, v4(1, 3), Direction::Rx)));
    }

    #[test]
    fn pairs_of_slots_are_taken_evenly() {
        // 64 peers and as many VNIs, neighbours or not, in 4096 pairs.
        for step in [1, 128, 1000] {
            let mut used = [0u8; 4096];
            for (vni, peer) in (0..64).flat_map(|vni| (0..64).map(move |peer| (vni * step, peer))) {
                let tunnel = Tunnel::v4(2, vni, v4(peer, 200), Direction::Rx);
                used[tunnel.pair(0x1234_5678_9abc_def1, 4095) as usize] += 1;
            }
            let full = used.iter().filter(|count| **count > 2).count();
            assert!(full < 400, "VNIs {step} apart: {full} pairs have more than two tunnels");
            assert!(used.iter().all(|count| *count < 12), "VNIs {step} apart: {:?}", used.iter().max());
        }
    }
}
