//! The tunnel of a packet and its place in the table of tunnels.
//!
//! A tunnel is (device, local address, peer, VNI). The table is direct-mapped with two ways; the key stands in the
//! slot, and a slot that is taken stays taken. A tunnel that finds both ways taken is not tracked: its packets are
//! counted as a whole.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::frame::Direction;
use crate::packet::Address;

/// The largest table of tunnels, so that a slot number fits into 16 bits with
/// [`crate::frame::UNTRACKED`] to spare.
pub const MAX_SLOTS: u32 = 1 << 15;

/// 2^64 divided by the golden ratio, odd: multiples of it are spread evenly.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A tunnel: the key, and the slot's content. All zero: the slot is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Tunnel {
    /// Address of this end.
    pub local: Address,
    /// Address of the other end.
    pub peer: Address,
    /// Device index in the upper half, VNI in the lower one.
    identity: u64,
}

impl Tunnel {
    /// The tunnel of a packet that goes from `source` to `destination`.
    #[inline(always)]
    pub fn new(device: u32, vni: u32, source: Address, destination: Address, direction: Direction) -> Self {
        let (local, peer) = match direction {
            Direction::Rx => (destination, source),
            Direction::Tx => (source, destination),
        };
        Self { local, peer, identity: u64::from(device) << 32 | u64::from(vni) }
    }

    /// Index of the device.
    pub fn device(&self) -> u32 {
        (self.identity >> 32) as u32
    }

    /// Virtual network identifier.
    pub fn vni(&self) -> u32 {
        self.identity as u32
    }

    /// Compares word by word, the ones that differ most often first; a derived comparison becomes a loop over bytes.
    #[inline(always)]
    pub fn is(&self, other: &Self) -> bool {
        self.identity == other.identity
            && self.peer.0[1] == other.peer.0[1]
            && self.local.0[1] == other.local.0[1]
            && self.peer.0[0] == other.peer.0[0]
            && self.local.0[0] == other.local.0[0]
    }

    /// Says whether the slot is free.
    #[inline(always)]
    pub fn is_free(&self) -> bool {
        self.identity == 0
    }

    /// The first of its two slots in a table with one more than `mask` slots, a power of two; the other one is this
    /// with the lowest bit flipped.
    #[inline(always)]
    pub fn slot(&self, seed: u64, mask: u32) -> u32 {
        let ends = self.local.0[1] ^ self.peer.0[1].rotate_left(32) ^ (self.local.0[0] ^ self.peer.0[0]).rotate_left(7);
        // The top bits of a product depend on every bit of its factor, also on those where peers differ.
        ((ends ^ self.identity.rotate_left(16) ^ seed).wrapping_mul(GOLDEN) >> 48) as u32 & mask
    }

    /// Takes a free slot for `tunnel`. The identity comes last: until it is there, no other processor takes the slot
    /// for this tunnel's.
    #[inline(always)]
    pub fn occupy(&mut self, tunnel: &Self) {
        self.local = tunnel.local;
        self.peer = tunnel.peer;
        self.identity = tunnel.identity;
    }
}
