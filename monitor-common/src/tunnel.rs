//! The tunnel of a packet and its place in the table of tunnels.
//!
//! A tunnel is (device, local address, peer, VNI). The table is direct-mapped with two ways; the key stands in the
//! slot, and a slot that is taken stays taken. A tunnel that finds both ways taken is not tracked: its packets are
//! counted as a whole ([`crate::count::Totals`]).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::flow::mix;
use crate::frame::Direction;
use crate::packet::Address;
use crate::tables::Tables;

/// The largest table of tunnels, so that a slot number fits into 16 bits with
/// [`crate::frame::UNTRACKED`] to spare.
pub const MAX_SLOTS: u32 = 1 << 15;

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
    fn is(&self, other: &Self) -> bool {
        self.identity == other.identity
            && self.peer.0[1] == other.peer.0[1]
            && self.local.0[1] == other.local.0[1]
            && self.peer.0[0] == other.peer.0[0]
            && self.local.0[0] == other.local.0[0]
    }

    #[inline(always)]
    fn hash(&self, seed: u64) -> u64 {
        let ends = self.local.0[1] ^ self.peer.0[1].rotate_left(32) ^ (self.local.0[0] ^ self.peer.0[0]).rotate_left(7);
        mix(ends ^ self.identity.rotate_left(16) ^ seed)
    }
}

/// Returns the slot of `tunnel`, when it has one.
#[inline(always)]
pub fn find<T: Tables>(tables: &mut T, tunnel: &Tunnel, seed: u64) -> Option<u32> {
    let first = tunnel.hash(seed) as u32 & tables.tunnel_mask();
    if tables.tunnel(first)?.is(tunnel) {
        return Some(first);
    }
    let second = first ^ 1;
    if tables.tunnel(second)?.is(tunnel) { Some(second) } else { None }
}

/// Returns the slot of `tunnel`, taking a free one for it when it has none.
///
/// Two processors that see a new tunnel at once both ask for the slot; the one that gets it writes the key. The
/// other finds the slot taken, so a few packets of a new tunnel can be counted as untracked.
#[inline(always)]
pub fn find_or_claim<T: Tables>(tables: &mut T, tunnel: &Tunnel) -> Option<u32> {
    let first = tunnel.hash(tables.seed()) as u32 & tables.tunnel_mask();
    for way in 0..2 {
        let slot = tables.tunnel(first ^ way)?;
        if slot.is(tunnel) {
            return Some(first ^ way);
        }
        // A tunnel takes the first free slot of its two, and none is ever given back: behind a free one it is not.
        if slot.identity == 0 {
            return claim(tables, first ^ way, tunnel);
        }
    }
    None
}

#[inline(always)]
fn claim<T: Tables>(tables: &mut T, at: u32, tunnel: &Tunnel) -> Option<u32> {
    if !tables.claim(at) {
        return None;
    }
    let slot = tables.tunnel(at)?;
    // The identity last: until it is there, no other processor takes the slot for this tunnel's.
    slot.local = tunnel.local;
    slot.peer = tunnel.peer;
    slot.identity = tunnel.identity;
    Some(at)
}
