//! The event of an outer fragment.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Event, Head, Kind};
use crate::packet::Address;

/// An outer fragment of a tunnel packet, or a later one of which that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Fragment {
    /// Time, device, tunnel.
    pub head: Head,
    /// Outer source address.
    pub source: Address,
    /// Outer destination address.
    pub destination: Address,
    /// Identification.
    pub id: u32,
    /// Outer IP length, in bytes.
    pub length: u32,
    /// Fragment offset, in bytes; 0 in a first fragment.
    pub offset: u16,
    /// 1 when more fragments follow.
    pub more: u8,
    /// Index of the [`crate::frame::Direction`].
    pub direction: u8,
    /// Bytes of the datagram in it.
    pub payload: u16,
    /// Of a first one: length of the whole datagram, as its UDP header has it.
    pub whole: u16,
    /// Of a first one: alike in duplicates, and hardly ever in two packets.
    pub content: u32,
    /// 1 when it is a first one, and the packet in the tunnel is a fragment as well.
    pub is_double: u8,
    /// Padding.
    pub reserved: [u8; 3],
}

impl Event for Fragment {
    const KIND: Kind = Kind::Fragment;
}
