//! Where a parse stopped, as a value.

use core::num::NonZeroU32;

use crate::frame::Frame;

/// Which of the nested packets a header belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Layer {
    /// The underlay packet.
    Outer = 0,
    /// The packet inside the tunnel.
    Inner = 1,
    /// The packet that an ICMP error quotes.
    Quoted = 2,
}

/// A header that the parser reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Header {
    /// Ethernet.
    Ethernet = 0,
    /// A VLAN tag.
    Vlan = 1,
    /// IPv4.
    Ipv4 = 2,
    /// IPv6.
    Ipv6 = 3,
    /// An IPv6 extension header.
    Extension = 4,
    /// UDP.
    Udp = 5,
    /// Geneve.
    Geneve = 6,
    /// A Geneve option.
    Option = 7,
    /// ARP.
    Arp = 8,
    /// TCP.
    Tcp = 9,
    /// ICMP or ICMPv6.
    Icmp = 10,
    /// BFD.
    Bfd = 11,
}

/// Why a header could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// The packet ends inside it.
    Truncated = 1,
    /// It contradicts itself or its surroundings.
    Invalid = 2,
    /// It stands deeper than the parser looks ([`crate::wire::REACH`], or too many extension headers).
    TooDeep = 3,
    /// The capture holds fewer bytes than the frame had.
    NotCaptured = 4,
    /// The rest stands in a later fragment.
    NotInFragment = 5,
}

/// Where a parse stopped, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Which packet.
    pub layer: Layer,
    /// Index of the [`Header`] of it.
    header: u8,
    /// Why.
    pub cause: Cause,
}

impl Stop {
    #[inline(always)]
    pub(super) fn encode(self) -> [u8; 3] {
        [self.cause as u8, self.layer as u8, self.header]
    }

    pub(super) fn decode([cause, layer, header]: [u8; 3]) -> Option<Self> {
        let cause = match cause {
            1 => Cause::Truncated,
            2 => Cause::Invalid,
            3 => Cause::TooDeep,
            4 => Cause::NotCaptured,
            5 => Cause::NotInFragment,
            _ => return None,
        };
        let layer = [Layer::Outer, Layer::Inner, Layer::Quoted][layer as usize % 3];
        Some(Self { layer, header, cause })
    }

    /// Which header of it.
    pub fn header(self) -> Header {
        HEADERS[usize::from(self.header) % HEADERS.len()]
    }

    /// The words that `--packets` prints, such as `truncated: inner tcp`.
    pub fn words(self) -> [&'static str; 3] {
        let cause = match self.cause {
            Cause::Truncated => "truncated",
            Cause::Invalid => "invalid",
            Cause::TooDeep => "too deep",
            Cause::NotCaptured => "not captured",
            Cause::NotInFragment => "in a later fragment",
        };
        let layer = match self.layer {
            Layer::Outer => "outer",
            Layer::Inner => "inner",
            Layer::Quoted => "quoted",
        };
        [cause, layer, NAMES[usize::from(self.header) % NAMES.len()]]
    }
}

const HEADERS: [Header; 12] = [
    Header::Ethernet,
    Header::Vlan,
    Header::Ipv4,
    Header::Ipv6,
    Header::Extension,
    Header::Udp,
    Header::Geneve,
    Header::Option,
    Header::Arp,
    Header::Tcp,
    Header::Icmp,
    Header::Bfd,
];

const NAMES: [&str; 12] = [
    "ethernet",
    "vlan",
    "ipv4",
    "ipv6",
    "ipv6 extension",
    "udp",
    "geneve",
    "geneve option",
    "arp",
    "tcp",
    "icmp",
    "bfd",
];

/// Why a step of the parser failed, before it is known which bytes exist.
///
/// One scalar, so that it can be returned from a BPF subprogram: 16 bits of where the header would have ended, 8 bits
/// of header, 8 bits of kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault(NonZeroU32);

const MISSING: u32 = 1;
const CUT: u32 = 2;
const INVALID: u32 = 3;
const TOO_DEEP: u32 = 4;

impl Fault {
    #[inline(always)]
    const fn new(kind: u32, header: Header, end: u32) -> Self {
        match NonZeroU32::new(end << 16 | (header as u32) << 8 | kind) {
            Some(fault) => Self(fault),
            None => Self(NonZeroU32::MAX),
        }
    }

    /// The header would have ended at `end`.
    #[inline(always)]
    pub(super) const fn missing(header: Header, end: usize) -> Self {
        Self::new(MISSING, header, end as u32)
    }

    /// The packet ends before the header does, by its own lengths.
    #[inline(always)]
    pub(super) const fn cut(header: Header) -> Self {
        Self::new(CUT, header, 0)
    }

    /// The header contradicts itself or its surroundings.
    #[inline(always)]
    pub(super) const fn invalid(header: Header) -> Self {
        Self::new(INVALID, header, 0)
    }

    /// The header stands deeper than the parser looks.
    #[inline(always)]
    pub(super) const fn too_deep(header: Header) -> Self {
        Self::new(TOO_DEEP, header, 0)
    }

    /// The stop that this fault in a `frame` amounts to.
    #[inline(always)]
    pub(super) fn stop(self, layer: Layer, frame: &Frame) -> Stop {
        let fault = self.0.get();
        let end = fault >> 16;
        let cause = match fault & 0xff {
            INVALID => Cause::Invalid,
            CUT => Cause::Truncated,
            MISSING if end > frame.length => Cause::Truncated,
            MISSING if end > frame.captured => Cause::NotCaptured,
            _ => Cause::TooDeep,
        };
        Stop { layer, header: (fault >> 8) as u8, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_survives_its_encoding() {
        for header in HEADERS {
            let stop = Stop { layer: Layer::Quoted, header: header as u8, cause: Cause::NotCaptured };
            assert_eq!(Stop::decode(stop.encode()), Some(stop));
            assert_eq!(stop.header(), header);
        }
        assert_eq!(Stop::decode([0, 1, 2]), None);
    }
}
