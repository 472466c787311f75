//! Ethernet II and its VLAN tags (IEEE 802.3, 802.1Q).
//!
//! ```text
//!  0                   1                   2                   3
//! |       destination MAC (48)      |        source MAC (48)      |
//! |  ethertype or tag protocol (16) |
//! then per tag: | PCP(3) DEI(1) VLAN id(12) | ethertype (16) |
//! ```

use super::Window;

/// Length of an Ethernet header without tags, in bytes.
pub const LENGTH: usize = 14;
/// Length of one VLAN tag, in bytes.
pub const TAG_LENGTH: usize = 4;

/// Ethertype of IPv4.
pub const IPV4: u16 = 0x0800;
/// Ethertype of ARP.
pub const ARP: u16 = 0x0806;
/// Ethertype of IPv6.
pub const IPV6: u16 = 0x86dd;
/// Tag protocol of IEEE 802.1Q (customer tag).
pub const DOT1Q: u16 = 0x8100;
/// Tag protocol of IEEE 802.1ad (service tag).
pub const DOT1AD: u16 = 0x88a8;

/// An Ethernet header.
#[derive(Clone, Copy)]
pub struct Ethernet<W>(pub W);

impl<W: Window<LENGTH>> Ethernet<W> {
    /// Destination MAC address.
    pub fn destination(self) -> [u8; 6] {
        let (high, low) = (self.0.be32::<0>().to_be_bytes(), self.0.be16::<4>().to_be_bytes());
        [high[0], high[1], high[2], high[3], low[0], low[1]]
    }

    /// Source MAC address.
    pub fn source(self) -> [u8; 6] {
        let (high, low) = (self.0.be16::<6>().to_be_bytes(), self.0.be32::<8>().to_be_bytes());
        [high[0], high[1], low[0], low[1], low[2], low[3]]
    }

    /// Ethertype, or the protocol of the first tag.
    #[inline(always)]
    pub fn ethertype(self) -> u16 {
        self.0.be16::<12>()
    }
}

/// A VLAN tag, from behind its tag protocol.
#[derive(Clone, Copy)]
pub struct Tag<W>(pub W);

impl<W: Window<TAG_LENGTH>> Tag<W> {
    /// Priority, drop eligibility and VLAN id as they stand (TCI).
    #[inline(always)]
    pub fn control(self) -> u16 {
        self.0.be16::<0>()
    }

    /// Ethertype behind the tag, or the protocol of the next tag.
    #[inline(always)]
    pub fn ethertype(self) -> u16 {
        self.0.be16::<2>()
    }
}

/// Says whether `ethertype` announces a VLAN tag.
#[inline(always)]
pub fn is_tag(ethertype: u16) -> bool {
    ethertype == DOT1Q || ethertype == DOT1AD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_ethertype_stand_in_wire_order() {
        let bytes = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16, 0x86, 0xdd];
        let ethernet = Ethernet(&bytes);
        assert_eq!(ethernet.destination(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(ethernet.source(), [11, 12, 13, 14, 15, 16]);
        assert_eq!(ethernet.ethertype(), IPV6);
    }
}
