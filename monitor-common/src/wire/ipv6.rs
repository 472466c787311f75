//! IPv6 and its extension headers (RFC 8200, RFC 4302).
//!
//! ```text
//! |Version| Traffic Class |           Flow Label                  |
//! |         Payload Length        |  Next Header  |   Hop Limit   |
//! |                  Source Address (128)                         |
//! |                Destination Address (128)                      |
//!
//! hop-by-hop, routing, destination:  | Next Header | Length / 8 - 1 | ... |
//! authentication:                    | Next Header | Length / 4 - 2 | ... |
//! fragment: | Next Header | Reserved | Offset / 8 (13) Res(2) M | Identification (32) |
//! ```

use super::Window;

/// Length of the fixed header, in bytes.
pub const LENGTH: usize = 40;
/// Length of the shortest extension header, in bytes.
pub const EXTENSION_LENGTH: usize = 8;
/// Extension headers that the parser walks; a chain that is longer is not followed.
pub const MAX_EXTENSIONS: usize = 6;

/// Next header of hop-by-hop options.
pub const HOP_BY_HOP: u8 = 0;
/// Next header of a routing header.
pub const ROUTING: u8 = 43;
/// Next header of a fragment header.
pub const FRAGMENT: u8 = 44;
/// Next header of an authentication header.
pub const AUTHENTICATION: u8 = 51;
/// Next header of destination options.
pub const DESTINATION: u8 = 60;

/// An IPv6 header.
#[derive(Clone, Copy)]
pub struct Ipv6<W>(pub W);

impl<W: Window<LENGTH>> Ipv6<W> {
    /// Version, 6 in a sound header.
    #[inline(always)]
    pub fn version(self) -> u8 {
        self.0.u8::<0>() >> 4
    }

    /// Payload length, in bytes, extension headers included. 0 in a super-frame of more than 64 KiB (Linux BIG TCP).
    #[inline(always)]
    pub fn payload_length(self) -> u32 {
        u32::from(self.0.be16::<4>())
    }

    /// Kind of the next header.
    #[inline(always)]
    pub fn next_header(self) -> u8 {
        self.0.u8::<6>()
    }

    /// Hop limit.
    #[inline(always)]
    pub fn hop_limit(self) -> u8 {
        self.0.u8::<7>()
    }

    /// Source address as two words as they lie in memory.
    #[inline(always)]
    pub fn source(self) -> [u64; 2] {
        [self.0.raw64::<8>(), self.0.raw64::<16>()]
    }

    /// Destination address as two words as they lie in memory.
    #[inline(always)]
    pub fn destination(self) -> [u64; 2] {
        [self.0.raw64::<24>(), self.0.raw64::<32>()]
    }
}

/// An extension header, its first eight bytes.
#[derive(Clone, Copy)]
pub struct Extension<W>(pub W);

impl<W: Window<EXTENSION_LENGTH>> Extension<W> {
    /// Kind of the next header.
    #[inline(always)]
    pub fn next_header(self) -> u8 {
        self.0.u8::<0>()
    }

    /// Length of this header, in bytes, when it is of `kind`.
    #[inline(always)]
    pub fn length(self, kind: u8) -> usize {
        let length = self.0.u8::<1>() as usize;
        match kind {
            FRAGMENT => 8,
            AUTHENTICATION => (length + 2) * 4,
            _ => (length + 1) * 8,
        }
    }

    /// Fragment offset, in bytes, of a fragment header.
    #[inline(always)]
    pub fn fragment_offset(self) -> u16 {
        self.0.be16::<2>() & 0xfff8
    }

    /// "More fragments" of a fragment header.
    #[inline(always)]
    pub fn more_fragments(self) -> bool {
        self.0.u8::<3>() & 1 != 0
    }

    /// Identification of a fragment header.
    #[inline(always)]
    pub fn id(self) -> u32 {
        self.0.be32::<4>()
    }
}

/// Says whether `next_header` is an extension header that can be walked.
#[inline(always)]
pub fn is_extension(next_header: u8) -> bool {
    matches!(next_header, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_in_the_unit_of_their_kind() {
        let extension = Extension(&[17, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(extension.length(HOP_BY_HOP), 16);
        assert_eq!(extension.length(AUTHENTICATION), 12);
        assert_eq!(extension.length(FRAGMENT), 8);
    }

    #[test]
    fn a_fragment_header_tells_offset_flag_and_id() {
        let extension = Extension(&[17, 0, 0x05, 0xa9, 1, 2, 3, 4]);
        assert_eq!(
            (extension.fragment_offset(), extension.more_fragments(), extension.id()),
            (1448, true, 0x0102_0304)
        );
    }
}
