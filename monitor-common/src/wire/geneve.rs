//! Geneve (RFC 8926 §3.4, §3.5).
//!
//! ```text
//! |Ver|  Opt Len  |O|C|    Rsvd.  |          Protocol Type        |
//! |        Virtual Network Identifier (VNI)       |    Reserved   |
//!
//! option: |          Option Class         |      Type     |R|R|R| Length  |
//!         |                  data, Length words                          |
//! ```
//! Receivers ignore the reserved bits. `Opt Len` and `Length` count words of four bytes.

use super::Window;

/// Length of the header without options, in bytes.
pub const LENGTH: usize = 8;
/// Length of an option's own header, in bytes.
pub const OPTION_LENGTH: usize = 4;
/// Options that fit into the 63 words that the header can announce.
pub const MAX_OPTIONS: usize = 63;
/// The port that IANA assigned.
pub const PORT: u16 = 6081;

/// Protocol type of an inner Ethernet frame.
pub const ETHERNET: u16 = 0x6558;
/// Option class that OVN uses.
pub const OVN_CLASS: u16 = 0x0102;
/// Option type of OVN's logical ports.
pub const OVN_TYPE: u8 = 0x80;

/// The largest VNI.
pub const MAX_VNI: u32 = 0x00ff_ffff;

/// The UDP destination ports of the tunnels that are watched, up to four, 16 bits each; the upper three are 0 when there
/// is only one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports(pub u64);

impl Ports {
    /// The ports of `list`, at least one; those behind the fourth are left out.
    pub fn new(list: &[u16]) -> Self {
        let first = list.first().copied().unwrap_or(PORT);
        let places = if list.len() > 1 { 4 } else { 1 };
        (0..places).fold(Self(0), |packed, at| {
            let port = list.get(at).copied().unwrap_or(first);
            Self(packed.0 | u64::from(port) << (16 * at))
        })
    }

    /// The first one.
    #[inline(always)]
    pub fn first(self) -> u16 {
        self.0 as u16
    }

    /// Says whether `port` is one of them.
    #[inline(always)]
    pub fn contains(self, port: u16) -> bool {
        port == self.first() || self.has_behind_first(port)
    }

    /// Says whether `port` is one of those behind the first.
    #[inline(always)]
    pub fn has_behind_first(self, port: u16) -> bool {
        let rest = self.0 >> 16;
        rest != 0 && (port == rest as u16 || port == (rest >> 16) as u16 || port == (rest >> 32) as u16)
    }
}

/// A Geneve header without its options.
#[derive(Clone, Copy)]
pub struct Geneve<W>(pub W);

impl<W: Window<LENGTH>> Geneve<W> {
    /// Version, 0 in every packet that an endpoint may accept.
    #[inline(always)]
    pub fn version(self) -> u8 {
        self.0.u8::<0>() >> 6
    }

    /// Length of all options, in bytes.
    #[inline(always)]
    pub fn options_length(self) -> usize {
        (self.0.u8::<0>() & 0x3f) as usize * 4
    }

    /// O bit: a control packet, whose payload is for the endpoint itself.
    #[inline(always)]
    pub fn control(self) -> bool {
        self.0.u8::<1>() & 0x80 != 0
    }

    /// C bit: at least one option is critical.
    #[inline(always)]
    pub fn critical(self) -> bool {
        self.0.u8::<1>() & 0x40 != 0
    }

    /// Version, options length, O and C bit and the reserved bits, as they stand.
    #[inline(always)]
    pub fn first_half(self) -> u16 {
        self.0.be16::<0>()
    }

    /// Ethertype of the payload.
    #[inline(always)]
    pub fn protocol(self) -> u16 {
        self.0.be16::<2>()
    }

    /// Virtual network identifier.
    #[inline(always)]
    pub fn vni(self) -> u32 {
        self.0.be32::<4>() >> 8
    }
}

/// An option's header.
#[derive(Clone, Copy)]
pub struct OptionHeader<W>(pub W);

impl<W: Window<OPTION_LENGTH>> OptionHeader<W> {
    /// Namespace of the type.
    #[inline(always)]
    pub fn class(self) -> u16 {
        self.0.be16::<0>()
    }

    /// Type; its top bit says that the option is critical.
    #[inline(always)]
    pub fn kind(self) -> u8 {
        self.0.u8::<2>()
    }

    /// Length of the option with its header, in bytes: 4 to 128.
    #[inline(always)]
    pub fn length(self) -> usize {
        OPTION_LENGTH + (self.0.u8::<3>() & 0x1f) as usize * 4
    }

    /// Says whether this is OVN's option of logical ports, with its four bytes of data.
    #[inline(always)]
    pub fn is_ovn(self) -> bool {
        const RESERVED: u32 = 0xe0;
        const HEADER: u32 = (OVN_CLASS as u32) << 16 | (OVN_TYPE as u32) << 8 | 1;
        self.0.be32::<0>() & !RESERVED == HEADER
    }
}

/// Splits the data of OVN's option into the logical ingress port (15 bits) and egress port (16 bits); an egress of
/// 32768 and above is a multicast group (ovn-architecture(7), "Tunnel Encapsulations").
#[inline(always)]
pub fn ovn_ports(data: u32) -> (u16, u16) {
    ((data >> 16) as u16 & 0x7fff, data as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_is_told_apart() {
        let header = Geneve(&[0x02, 0xc0, 0x65, 0x58, 0x01, 0x11, 0x70, 0x00]);
        assert_eq!((header.version(), header.options_length()), (0, 8));
        assert!(header.control() && header.critical());
        assert_eq!((header.protocol(), header.vni()), (ETHERNET, 70000));
    }

    #[test]
    fn an_option_may_be_empty_or_hold_31_words() {
        assert_eq!(OptionHeader(&[1, 2, 0x80, 0xe0]).length(), 4);
        assert_eq!(OptionHeader(&[1, 2, 0x80, 0xff]).length(), 128);
    }

    #[test]
    fn four_ports_can_be_watched() {
        assert!(Ports::new(&[6081]).contains(6081) && !Ports::new(&[6081]).contains(0));
        let ports = Ports::new(&[6081, 7000, 8000, 9000]);
        assert!([6081, 7000, 8000, 9000].into_iter().all(|port| ports.contains(port)));
    }

    #[test]
    fn ovns_option_is_known_by_class_type_and_length() {
        assert!(OptionHeader(&[1, 2, 0x80, 0x01]).is_ovn() && OptionHeader(&[1, 2, 0x80, 0xe1]).is_ovn());
        for other in [[1, 2, 0x80, 0x02], [1, 2, 0x00, 0x01], [1, 3, 0x80, 0x01]] {
            assert!(!OptionHeader(&other).is_ovn());
        }
    }

    #[test]
    fn ovn_ports_lose_the_reserved_bit() {
        assert_eq!(ovn_ports(0x800b_8001), (11, 0x8001));
    }
}
