//! Where a parse stopped, as a value.

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
    /// Which header of it.
    pub header: Header,
    /// Why.
    pub cause: Cause,
}

impl Stop {
    #[inline(always)]
    pub(super) fn encode(self) -> [u8; 3] {
        [self.cause as u8, self.layer as u8, self.header as u8]
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
        let header = HEADERS[header as usize % HEADERS.len()];
        Some(Self { layer, header, cause })
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
        [cause, layer, NAMES[self.header as usize]]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    header: Header,
    /// Where the header would have ended; the special values below say that bytes were not the problem.
    end: u32,
}

const INVALID: u32 = 0;
const TOO_DEEP: u32 = u32::MAX;
const CUT: u32 = u32::MAX - 1;

impl Fault {
    /// The header would have ended at `end`.
    #[inline(always)]
    pub(super) fn missing(header: Header, end: usize) -> Self {
        Self { header, end: end as u32 }
    }

    /// The packet ends before the header does, by its own lengths.
    #[inline(always)]
    pub(super) fn cut(header: Header) -> Self {
        Self { header, end: CUT }
    }

    /// The header contradicts itself or its surroundings.
    #[inline(always)]
    pub(super) fn invalid(header: Header) -> Self {
        Self { header, end: INVALID }
    }

    /// The header stands deeper than the parser looks.
    #[inline(always)]
    pub(super) fn too_deep(header: Header) -> Self {
        Self { header, end: TOO_DEEP }
    }

    /// The stop that this fault in a `frame` amounts to.
    #[inline(always)]
    pub(super) fn stop(self, layer: Layer, frame: &Frame) -> Stop {
        let cause = match self.end {
            INVALID => Cause::Invalid,
            TOO_DEEP => Cause::TooDeep,
            end if end > frame.length => Cause::Truncated,
            end if end > frame.captured => Cause::NotCaptured,
            _ => Cause::TooDeep,
        };
        Stop { layer, header: self.header, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_survives_its_encoding() {
        for header in HEADERS {
            let stop = Stop { layer: Layer::Quoted, header, cause: Cause::NotCaptured };
            assert_eq!(Stop::decode(stop.encode()), Some(stop));
        }
        assert_eq!(Stop::decode([0, 1, 2]), None);
    }
}
