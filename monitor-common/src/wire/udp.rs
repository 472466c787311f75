//! UDP (RFC 768).
//!
//! ```text
//! |          Source Port          |       Destination Port        |
//! |            Length             |            Checksum           |
//! ```

use super::Window;

/// Length of the header, in bytes.
pub const LENGTH: usize = 8;
/// IP protocol number.
pub const PROTOCOL: u8 = 17;

/// A UDP header.
#[derive(Clone, Copy)]
pub struct Udp<W>(pub W);

impl<W: Window<LENGTH>> Udp<W> {
    /// Source port; in a tunnel packet a hash of the inner flow.
    #[inline(always)]
    pub fn source_port(self) -> u16 {
        self.0.be16::<0>()
    }

    /// Destination port; the only one that makes a packet a tunnel packet.
    #[inline(always)]
    pub fn destination_port(self) -> u16 {
        self.0.be16::<2>()
    }

    /// Both ports as they lie in memory.
    #[inline(always)]
    pub fn ports(self) -> u32 {
        self.0.raw32::<0>()
    }

    /// Length of header and payload, in bytes. 0 in a super-frame of more than 64 KiB (Linux BIG TCP).
    #[inline(always)]
    pub fn length(self) -> u32 {
        u32::from(self.0.be16::<4>())
    }

    /// Checksum; 0 when the sender made none.
    #[inline(always)]
    pub fn checksum(self) -> u16 {
        self.0.be16::<6>()
    }
}
