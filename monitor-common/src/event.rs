//! What crosses the ring buffer: one struct a kind, each beginning with a [`Head`].

mod drops;
pub mod pending;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub use drops::Drop;

use crate::frame::Direction;
use crate::packet::Address;
use crate::rtt::{Leg, Method};

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Kind {
    /// [`Rtt`].
    Rtt = 0,
    /// [`Fragment`].
    Fragment = 1,
    /// [`IcmpError`].
    IcmpError = 2,
    /// [`Retransmit`].
    Retransmit = 3,
    /// [`Handshake`].
    Handshake = 4,
    /// [`Drop`].
    Drop = 5,
}

/// Number of kinds.
pub const KINDS: usize = 6;

impl Kind {
    /// All kinds, in the order of their indexes.
    pub const ALL: [Self; KINDS] =
        [Self::Rtt, Self::Fragment, Self::IcmpError, Self::Retransmit, Self::Handshake, Self::Drop];

    /// The name that JSON and metrics use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rtt => "rtt",
            Self::Fragment => "fragment",
            Self::IcmpError => "icmp_error",
            Self::Retransmit => "retransmit",
            Self::Handshake => "handshake",
            Self::Drop => "drop",
        }
    }
}

/// The beginning of each event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Head {
    /// When it happened, in nanoseconds since boot, suspended time included (`CLOCK_BOOTTIME`).
    pub at_ns: u64,
    /// Index of the device.
    pub device: u32,
    /// Kind of the event.
    pub kind: u16,
    /// Slot of the tunnel, or [`crate::frame::UNTRACKED`].
    pub tunnel: u16,
}

/// An event: plain bytes with a [`Head`].
pub trait Event: IntoBytes + Immutable + 'static {
    /// Its kind.
    const KIND: Kind;
}

/// An RTT sample; `head.tunnel` is the tunnel of the packet that was stamped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Rtt {
    /// Time, device, tunnel.
    pub head: Head,
    /// Round-trip time, in nanoseconds.
    pub rtt_ns: u64,
    /// Inner address that sent the stamped packet.
    pub source: Address,
    /// Inner address that answered.
    pub destination: Address,
    /// Port of `source`; identifier of an echo.
    pub source_port: u16,
    /// Port of `destination`; identifier of an echo.
    pub destination_port: u16,
    /// Outer IP length of the stamped packet, in bytes, rounded down to 16.
    pub length: u16,
    /// Inner protocol.
    pub protocol: u8,
    /// Index of the [`Leg`] in the lowest bit, that of the [`Method`] behind it.
    pub way: u8,
}

impl Event for Rtt {
    const KIND: Kind = Kind::Rtt;
}

impl Rtt {
    /// The leg.
    #[inline(always)]
    pub fn leg(&self) -> Leg {
        if self.way & 1 == 0 { Leg::Remote } else { Leg::Local }
    }

    /// The method.
    #[inline(always)]
    pub fn method(&self) -> Method {
        match self.way >> 1 {
            0 => Method::Timestamp,
            1 => Method::Handshake,
            _ => Method::Echo,
        }
    }
}

/// An outer fragment: a first one, or a later one whose first was not seen.
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
    /// Index of the [`Direction`].
    pub direction: u8,
    /// Padding.
    pub reserved: u32,
}

impl Event for Fragment {
    const KIND: Kind = Kind::Fragment;
}

/// An outer ICMP error that quotes a tunnel packet, or one inside a tunnel about a packet that is too big.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IcmpError {
    /// Time and device; the tunnel of an inner one, else it is not known.
    pub head: Head,
    /// Who reports.
    pub reporter: Address,
    /// Source of the quoted packet.
    pub source: Address,
    /// Destination of the quoted packet.
    pub destination: Address,
    /// Announced MTU, in bytes, or 0.
    pub mtu: u32,
    /// VNI of the quoted packet, when `has_vni`.
    pub vni: u32,
    /// Bytes quoted.
    pub quoted: u32,
    /// IP length of the quoted packet, in bytes, as its header has it.
    pub quoted_length: u32,
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// 1 when the quote reaches the VNI.
    pub has_vni: u8,
    /// Index of the [`Direction`].
    pub direction: u8,
    /// 1 when the quoted packet must not be fragmented.
    pub quoted_df: u8,
    /// 1 when it is inside a tunnel.
    pub is_inner: u8,
    /// Padding.
    pub reserved: [u8; 2],
}

impl Event for IcmpError {
    const KIND: Kind = Kind::IcmpError;
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
    /// Index of the [`crate::loss::Step`].
    pub step: u8,
    /// Index of the [`Direction`] of the data.
    pub direction: u8,
    /// Padding.
    pub reserved: [u8; 5],
}

impl Event for Retransmit {
    const KIND: Kind = Kind::Retransmit;
}

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
    /// Index of the [`Direction`] of the SYN-ACK.
    pub direction: u8,
    /// Padding.
    pub reserved: [u8; 5],
}

impl Event for Handshake {
    const KIND: Kind = Kind::Handshake;
}

/// Any event, as user space reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Any {
    /// An RTT sample.
    Rtt(Rtt),
    /// An outer fragment.
    Fragment(Fragment),
    /// An ICMP error.
    IcmpError(IcmpError),
    /// A step of data that was missing.
    Retransmit(Retransmit),
    /// A handshake.
    Handshake(Handshake),
    /// A drop.
    Drop(Drop),
}

impl Any {
    /// Reads an event; `None` when the bytes are none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (head, _) = Head::read_from_prefix(bytes).ok()?;
        match Kind::ALL.get(usize::from(head.kind))? {
            Kind::Rtt => Rtt::read_from_bytes(bytes).ok().map(Self::Rtt),
            Kind::Fragment => Fragment::read_from_bytes(bytes).ok().map(Self::Fragment),
            Kind::IcmpError => IcmpError::read_from_bytes(bytes).ok().map(Self::IcmpError),
            Kind::Retransmit => Retransmit::read_from_bytes(bytes).ok().map(Self::Retransmit),
            Kind::Handshake => Handshake::read_from_bytes(bytes).ok().map(Self::Handshake),
            Kind::Drop => Drop::read_from_bytes(bytes).ok().map(Self::Drop),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Rtt(_) => Kind::Rtt,
            Self::Fragment(_) => Kind::Fragment,
            Self::IcmpError(_) => Kind::IcmpError,
            Self::Retransmit(_) => Kind::Retransmit,
            Self::Handshake(_) => Kind::Handshake,
            Self::Drop(_) => Kind::Drop,
        }
    }

    /// Its beginning.
    pub fn head(&self) -> &Head {
        match self {
            Self::Rtt(event) => &event.head,
            Self::Fragment(event) => &event.head,
            Self::IcmpError(event) => &event.head,
            Self::Retransmit(event) => &event.head,
            Self::Handshake(event) => &event.head,
            Self::Drop(event) => &event.head,
        }
    }
}

/// The direction at an event's index.
pub fn direction(index: u8) -> Direction {
    Direction::from_index(usize::from(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_by_its_kind_and_its_size() {
        let event =
            IcmpError { head: Head { kind: Kind::IcmpError as u16, ..Head::default() }, ..IcmpError::default() };
        assert_eq!(Any::read(event.as_bytes()), Some(Any::IcmpError(event)));
        assert_eq!(Any::read(&event.as_bytes()[..80]), None);
        assert_eq!(Any::read(&[0xff; 96]), None);
        assert_eq!(Any::read(&[]), None);
    }
}
