//! ICMP and ICMPv6 (RFC 792, RFC 1191 §4, RFC 4443).
//!
//! ```text
//! |     Type      |     Code      |          Checksum             |
//! echo:           |  Identifier (16)      |  Sequence Number (16) |
//! frag needed:    |  unused (16)          |  Next-Hop MTU (16)    |
//! packet too big: |              MTU (32)                         |
//! errors:         |  ... then the packet in question, 8 bytes of its payload at least
//! ```

use super::Window;

/// Length of the header, in bytes.
pub const LENGTH: usize = 8;
/// IP protocol number of ICMP.
pub const PROTOCOL_V4: u8 = 1;
/// IP protocol number of ICMPv6.
pub const PROTOCOL_V6: u8 = 58;

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An echo request.
    Request,
    /// An echo reply.
    Reply,
    /// An error that quotes the packet in question.
    Error,
    /// Anything else.
    Other,
}

/// An ICMP or ICMPv6 header.
#[derive(Clone, Copy)]
pub struct Icmp<W>(pub W);

impl<W: Window<LENGTH>> Icmp<W> {
    /// Type.
    #[inline(always)]
    pub fn kind(self) -> u8 {
        self.0.u8::<0>()
    }

    /// Code.
    #[inline(always)]
    pub fn code(self) -> u8 {
        self.0.u8::<1>()
    }

    /// Identifier of an echo.
    #[inline(always)]
    pub fn id(self) -> u16 {
        self.0.be16::<4>()
    }

    /// Sequence number of an echo.
    #[inline(always)]
    pub fn sequence(self) -> u16 {
        self.0.be16::<6>()
    }

    /// MTU of the next hop, in bytes, that "fragmentation needed" and "packet too big" announce; 0 otherwise.
    #[inline(always)]
    pub fn mtu(self, protocol: u8) -> u32 {
        match (protocol, self.kind(), self.code()) {
            (PROTOCOL_V4, 3, 4) => u32::from(self.0.be16::<6>()),
            (PROTOCOL_V6, 2, _) => self.0.be32::<4>(),
            _ => 0,
        }
    }
}

/// What a message of type `kind` over `protocol` is for.
#[inline(always)]
pub fn purpose(protocol: u8, kind: u8) -> Purpose {
    match (protocol, kind) {
        (PROTOCOL_V4, 8) | (PROTOCOL_V6, 128) => Purpose::Request,
        (PROTOCOL_V4, 0) | (PROTOCOL_V6, 129) => Purpose::Reply,
        (PROTOCOL_V4, 3 | 4 | 5 | 11 | 12) | (PROTOCOL_V6, 1..=4) => Purpose::Error,
        _ => Purpose::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_type_means_different_things_in_both_versions() {
        let message = Icmp(&[3, 4, 0, 0, 0, 0, 5, 0x78]);
        assert_eq!(message.mtu(PROTOCOL_V4), 1400);
        assert_eq!(message.mtu(PROTOCOL_V6), 0);
        assert_eq!(purpose(PROTOCOL_V4, 8), Purpose::Request);
        assert_eq!(purpose(PROTOCOL_V6, 8), Purpose::Other);
        assert_eq!(Icmp(&[2, 0, 0, 0, 0, 1, 0, 0]).mtu(PROTOCOL_V6), 65536);
    }
}
