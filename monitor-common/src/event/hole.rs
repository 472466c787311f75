//! What is told of missing data.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Event, Head, Kind};
use crate::packet::Address;

/// What became of a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// Its data was sent again, or an echo request while an older one waits.
    SentAgain = 1,
    /// Its receiver lacks it.
    Missing = 2,
    /// It was acknowledged, or a reply came.
    Acknowledged = 3,
}

impl Step {
    /// The step at an event's index.
    pub fn from_index(index: u8) -> Self {
        match index {
            1 => Self::SentAgain,
            2 => Self::Missing,
            _ => Self::Acknowledged,
        }
    }

    /// The name that JSON uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::SentAgain => "sent_again",
            Self::Missing => "missing",
            Self::Acknowledged => "acknowledged",
        }
    }
}

/// A hole at the moment of a step. No `Option` of it: what a `None` leaves undefined would be read from the stack, and
/// the verifier refuses that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Hole {
    /// Bytes that are known to be missing.
    pub(crate) missing: u32,
    /// How often it was sent again.
    pub(crate) times: u32,
    /// Ticks since its data was sent first, or since it was found missing.
    pub(crate) age: u32,
    /// Ticks since its receiver sent something that was stamped.
    pub(crate) heard: u32,
    /// Slot of the tunnel of its data.
    pub(crate) tunnel: u16,
    /// The [`Step`]; 0: none.
    pub(crate) step: u8,
    /// 1 when it is the packet's own data; else it is the other side's.
    pub(crate) is_own: u8,
}

/// Data that is missing, was sent again, or has been acknowledged after that ([`crate::loss`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Retransmit {
    /// Time, device, the tunnel of the data.
    pub head: Head,
    /// Inner address that sent the data.
    pub source: Address,
    /// Inner address that it was sent to.
    pub destination: Address,
    /// Nanoseconds since the data was sent first, or found missing.
    pub age_ns: u64,
    /// Nanoseconds since its receiver sent something that was stamped, when `step` is `sent_again`.
    pub heard_ns: u64,
    /// Outer IP length of the packet, when it is the data; in bytes.
    pub length: u32,
    /// How often the data was sent again; of echoes, how many requests came while an older one waited.
    pub times: u32,
    /// Bytes that are known to be missing, when `step` is `missing`.
    pub missing: u32,
    /// Port of `source`; identifier of an echo.
    pub source_port: u16,
    /// Port of `destination`; identifier of an echo.
    pub destination_port: u16,
    /// Inner protocol.
    pub protocol: u8,
    /// Index of the [`Step`].
    pub step: u8,
    /// Index of the [`crate::frame::Direction`] of the data.
    pub direction: u8,
    /// Padding.
    pub reserved: [u8; 5],
}

impl Event for Retransmit {
    const KIND: Kind = Kind::Retransmit;
}
