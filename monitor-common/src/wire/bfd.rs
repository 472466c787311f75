//! Bidirectional Forwarding Detection (RFC 5880 §4.1), over UDP 3784 (RFC 5881).
//!
//! ```text
//! |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
//! |                       My Discriminator                        |
//! |                      Your Discriminator                       |
//! |  three intervals (32 each), in microseconds                   |
//! ```

use super::Window;

/// Length of the mandatory part, in bytes.
pub const LENGTH: usize = 24;
/// UDP destination port of single-hop sessions.
pub const PORT: u16 = 3784;

/// A BFD control packet.
#[derive(Clone, Copy)]
pub struct Bfd<W>(pub W);

impl<W: Window<LENGTH>> Bfd<W> {
    /// Version, 1 in a sound packet.
    #[inline(always)]
    pub fn version(self) -> u8 {
        self.0.u8::<0>() >> 5
    }

    /// Diagnostic code: why the session last changed.
    #[inline(always)]
    pub fn diagnostic(self) -> u8 {
        self.0.u8::<0>() & 0x1f
    }

    /// Session state: 0 administratively down, 1 down, 2 init, 3 up.
    #[inline(always)]
    pub fn state(self) -> u8 {
        self.0.u8::<1>() >> 6
    }

    /// The sender's name for the session.
    #[inline(always)]
    pub fn my_discriminator(self) -> u32 {
        self.0.be32::<4>()
    }

    /// The receiver's name for the session, 0 when unknown.
    #[inline(always)]
    pub fn your_discriminator(self) -> u32 {
        self.0.be32::<8>()
    }
}
