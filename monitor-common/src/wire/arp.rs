//! ARP for IPv4 over Ethernet (RFC 826).
//!
//! ```text
//! |  hardware type (16) |  protocol type (16) | hlen (8) | plen (8) | operation (16) | addresses ...
//! ```

use super::Window;

/// Length of the part before the addresses, in bytes.
pub const LENGTH: usize = 8;

/// An ARP packet without its addresses.
#[derive(Clone, Copy)]
pub struct Arp<W>(pub W);

impl<W: Window<LENGTH>> Arp<W> {
    /// Operation: 1 request, 2 reply.
    #[inline(always)]
    pub fn operation(self) -> u16 {
        self.0.be16::<6>()
    }
}
