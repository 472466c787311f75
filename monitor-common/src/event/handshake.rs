//! What both sides of a connection announce.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Event, Head, Kind};
use crate::packet::Address;

/// A SYN-ACK that answers a SYN which was seen: what both sides take at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Handshake {
    /// Time, device, the tunnel of the SYN-ACK.
    pub head: Head,
    /// Inner address that sent the SYN-ACK.
    pub source: Address,
    /// Inner address that sent the SYN.
    pub destination: Address,
    /// Port of `source`.
    pub source_port: u16,
    /// Port of `destination`.
    pub destination_port: u16,
    /// MSS that `source` announces, in bytes; 0 when it does not.
    pub source_mss: u16,
    /// MSS that `destination` announces, in bytes; 0 when it does not.
    pub destination_mss: u16,
    /// From the outer IP header of the SYN-ACK to the inner one, in bytes.
    pub overhead: u16,
    /// Index of the [`crate::frame::Direction`] of the SYN-ACK.
    pub direction: u8,
    /// Padding.
    pub reserved: [u8; 5],
}

impl Event for Handshake {
    const KIND: Kind = Kind::Handshake;
}
