//! The classes of packets: a closed list, one for each packet seen.

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// Not ours.
    Other = 0,
    /// A tunnel packet.
    Geneve = 1,
    /// A tunnel packet with the O bit, whose payload is for the endpoint itself (RFC 8926 §3.4).
    Control = 2,
    /// A tunnel packet whose protocol type is not understood.
    Opaque = 3,
    /// A tunnel packet that no endpoint may accept; [`Malformed`] says why.
    Malformed = 4,
    /// A later outer fragment: attributed to a VNI, or an orphan.
    Fragment = 5,
    /// An outer ICMP error that quotes a tunnel packet.
    IcmpError = 6,
}

/// Number of classes.
pub const CLASSES: usize = 7;

impl Class {
    /// All classes, in the order of their indexes.
    pub const ALL: [Self; CLASSES] =
        [Self::Other, Self::Geneve, Self::Control, Self::Opaque, Self::Malformed, Self::Fragment, Self::IcmpError];

    /// The name that JSON and metrics use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Geneve => "geneve",
            Self::Control => "geneve_control",
            Self::Opaque => "geneve_opaque",
            Self::Malformed => "malformed",
            Self::Fragment => "fragment",
            Self::IcmpError => "icmp_error",
        }
    }

    #[inline(always)]
    pub(super) fn from_index(index: usize) -> Self {
        match index {
            1 => Self::Geneve,
            2 => Self::Control,
            3 => Self::Opaque,
            4 => Self::Malformed,
            5 => Self::Fragment,
            6 => Self::IcmpError,
            _ => Self::Other,
        }
    }
}

/// Why a tunnel packet is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Malformed {
    /// The outer IP header leaves no room for UDP.
    OuterIp = 0,
    /// The UDP length contradicts the IP length, or leaves no room for Geneve.
    UdpLength = 1,
    /// The Geneve version is not 0.
    Version = 2,
    /// The options run past their length, or past the packet.
    Options = 3,
    /// The frame ends inside the outer or the Geneve header.
    Truncated = 4,
    /// The inner headers are broken or cut.
    Inner = 5,
}

/// Number of reasons.
pub const REASONS: usize = 6;

impl Malformed {
    /// All reasons, in the order of their indexes.
    pub const ALL: [Self; REASONS] =
        [Self::OuterIp, Self::UdpLength, Self::Version, Self::Options, Self::Truncated, Self::Inner];

    /// The name that JSON and metrics use.
    pub fn name(self) -> &'static str {
        match self {
            Self::OuterIp => "outer_ip",
            Self::UdpLength => "udp_length",
            Self::Version => "version",
            Self::Options => "options",
            Self::Truncated => "truncated",
            Self::Inner => "inner",
        }
    }

    #[inline(always)]
    pub(super) fn from_index(index: usize) -> Self {
        match index {
            0 => Self::OuterIp,
            1 => Self::UdpLength,
            2 => Self::Version,
            3 => Self::Options,
            4 => Self::Truncated,
            _ => Self::Inner,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_and_reason_comes_back_from_its_index() {
        for class in Class::ALL {
            assert_eq!(Class::from_index(class as usize), class);
        }
        for reason in Malformed::ALL {
            assert_eq!(Malformed::from_index(reason as usize), reason);
        }
    }
}
