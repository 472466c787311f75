//! What crosses the ring buffer: one struct a kind, each beginning with a [`Head`].

mod drops;
mod fragment;
mod handshake;
pub mod hole;
pub mod pending;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub use drops::Drop;
pub use fragment::Fragment;

use crate::frame::Direction;
use crate::packet::Address;
use crate::rtt::{Leg, Method};

pub use handshake::Handshake;
pub use hole::Retransmit;

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
    /// Inner source of the quoted packet, when `has_flow`.
    pub inner_source: Address,
    /// Inner destination of the quoted packet, when `has_flow`.
    pub inner_destination: Address,
    /// Port of `inner_source`, when the quote reaches it.
    pub inner_source_port: u16,
    /// Port of `inner_destination`, when the quote reaches it.
    pub inner_destination_port: u16,
    /// Inner protocol, when `has_flow`.
    pub inner_protocol: u8,
    /// 1 when the quote reaches the inner IP header.
    pub has_flow: u8,
    /// Padding.
    pub reserved: [u8; 2],
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
    pub reserved_too: [u8; 2],
}

impl Event for IcmpError {
    const KIND: Kind = Kind::IcmpError;
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
