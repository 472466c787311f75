//! What the kernel of this host drops itself.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Event, Head, Kind};
use crate::packet::Address;

/// A tunnel packet that this host's kernel has dropped, or has refused to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Drop {
    /// Time, and the device that drops are counted with; no tunnel.
    pub head: Head,
    /// Outer source address.
    pub source: Address,
    /// Outer destination address.
    pub destination: Address,
    /// Where in the kernel it was dropped: an address; 0 when it was refused.
    pub location: u64,
    /// Why, by the kernel's own number; of a refused one the error.
    pub reason: u32,
    /// Outer IP length, in bytes.
    pub length: u32,
    /// VNI, when `has_vni`.
    pub vni: u32,
    /// Index of the device that it was at or was to leave by, or 0.
    pub at: u32,
    /// 1 when the Geneve header was read.
    pub has_vni: u8,
    /// 1 when the kernel has told why.
    pub has_reason: u8,
    /// 1 when it was refused before there was a packet.
    pub is_refused: u8,
    /// Padding.
    pub reserved: [u8; 5],
}

impl Event for Drop {
    const KIND: Kind = Kind::Drop;
}
