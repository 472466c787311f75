//! IPv4 (RFC 791).
//!
//! ```text
//! |Version|  IHL  |Type of Service|          Total Length         |
//! |         Identification        |Flags|      Fragment Offset    |
//! |  Time to Live |    Protocol   |         Header Checksum       |
//! |                       Source Address                          |
//! |                    Destination Address                        |
//! |                    Options (IHL > 5)                          |
//! ```

use super::Window;

/// Length of the header without options, in bytes.
pub const LENGTH: usize = 20;

/// Flags and offset bits that make a packet a fragment: more fragments, or an offset.
const FRAGMENT: u16 = 0x3fff;

/// An IPv4 header without its options.
#[derive(Clone, Copy)]
pub struct Ipv4<W>(pub W);

impl<W: Window<LENGTH>> Ipv4<W> {
    /// Version and header length as they stand.
    #[inline(always)]
    pub fn version_ihl(self) -> u8 {
        self.0.u8::<0>()
    }

    /// Header length with options, in bytes; under 20 the header is broken.
    #[inline(always)]
    pub fn header_length(self) -> usize {
        (self.0.u8::<0>() & 0x0f) as usize * 4
    }

    /// Total length, in bytes. 0 in a super-frame of more than 64 KiB (Linux BIG TCP).
    #[inline(always)]
    pub fn total_length(self) -> u32 {
        u32::from(self.0.be16::<2>())
    }

    /// Identification.
    #[inline(always)]
    pub fn id(self) -> u16 {
        self.0.be16::<4>()
    }

    /// "Don't fragment".
    #[inline(always)]
    pub fn dont_fragment(self) -> bool {
        self.0.u8::<6>() & 0x40 != 0
    }

    /// "More fragments".
    #[inline(always)]
    pub fn more_fragments(self) -> bool {
        self.0.u8::<6>() & 0x20 != 0
    }

    /// Fragment offset, in bytes.
    #[inline(always)]
    pub fn fragment_offset(self) -> u16 {
        (self.0.be16::<6>() & 0x1fff) << 3
    }

    /// Says whether this is a fragment, the first one or a later one.
    #[inline(always)]
    pub fn is_fragment(self) -> bool {
        self.0.be16::<6>() & FRAGMENT != 0
    }

    /// Time to live, in hops.
    #[inline(always)]
    pub fn ttl(self) -> u8 {
        self.0.u8::<8>()
    }

    /// Protocol of the payload.
    #[inline(always)]
    pub fn protocol(self) -> u8 {
        self.0.u8::<9>()
    }

    /// Source address as it lies in memory.
    #[inline(always)]
    pub fn source(self) -> u32 {
        self.0.raw32::<12>()
    }

    /// Destination address as it lies in memory.
    #[inline(always)]
    pub fn destination(self) -> u32 {
        self.0.raw32::<16>()
    }

    /// Both addresses as they lie in memory, the source first.
    #[inline(always)]
    pub fn ends(self) -> u64 {
        self.0.raw64::<12>()
    }
}
