//! The least that is asked of a tunnel packet: its outer IP header and its VNI.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Ip, ip, outer};
use crate::wire::geneve::Ports;
use crate::wire::{Bytes, ethernet, geneve, udp};

/// The outer IP header of a tunnel packet, and its VNI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Heading {
    /// The outer IP header.
    pub ip: Ip,
    /// VNI, when `has_vni`.
    pub vni: u32,
    /// 1 when a Geneve header was read.
    pub has_vni: u8,
    reserved: [u8; 3],
}

impl Heading {
    /// Reads a frame of `length` bytes; says whether it goes to a tunnel port.
    #[inline(always)]
    pub fn read<B: Bytes>(&mut self, bytes: B, length: u32, ports: Ports) -> bool {
        let Some(window) = bytes.window::<{ ethernet::LENGTH }>(0) else { return false };
        let ethertype = ethernet::Ethernet(window).ethertype();
        let found = outer::tags(bytes, ethernet::LENGTH, ethertype, &mut [0; 2], &mut 0);
        let Ok((offset, ethertype)) = found else { return false };
        if ethertype != ethernet::IPV4 && ethertype != ethernet::IPV6 {
            return false;
        }
        self.ip = Ip::default();
        let is_read = ip::parse(bytes, bytes.settle(offset), ethertype, length, &mut self.ip).is_ok();
        if !is_read || self.ip.protocol != udp::PROTOCOL || self.ip.is_later_fragment() {
            return false;
        }
        let offset = bytes.settle(self.ip.payload as usize);
        let Some(window) = bytes.window::<{ udp::LENGTH }>(offset) else { return false };
        if !outer::is_tunnel(ports, udp::Udp(window).destination_port()) {
            return false;
        }
        (self.vni, self.has_vni) = (0, 0);
        if let Some(window) = bytes.window::<{ geneve::LENGTH }>(offset + udp::LENGTH) {
            let header = geneve::Geneve(window);
            if header.version() == 0 {
                (self.vni, self.has_vni) = (header.vni(), 1);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tunnel packet of VNI 9 behind these tags.
    fn frame(tags: &[u8], port: u16) -> std::vec::Vec<u8> {
        let mut ip = [0; 20];
        (ip[0], ip[3], ip[9]) = (0x45, 36, udp::PROTOCOL);
        let port = port.to_be_bytes();
        let rest = [1, 2, port[0], port[1], 0, 16, 0, 0, 0, 0, 0x65, 0x58, 0, 0, 9, 0];
        [&[0; 12][..], tags, &[8, 0], &ip, &rest].concat()
    }

    fn read(frame: &[u8]) -> Option<Heading> {
        let mut heading = Heading::default();
        heading.read(frame, frame.len() as u32, Ports::new(&[6081])).then_some(heading)
    }

    #[test]
    fn a_tunnel_packet_is_read_behind_tags_and_others_are_none() {
        for tags in [&[][..], &[0x81, 0, 0, 7], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 8]] {
            let heading = read(&frame(tags, 6081)).unwrap();
            assert_eq!((heading.ip.length, heading.vni, heading.has_vni), (36, 9, 1));
            assert_eq!(read(&frame(tags, 53)), None);
        }
    }

    #[test]
    fn what_is_cut_tells_what_is_left() {
        let whole = frame(&[], 6081);
        let found: std::vec::Vec<_> = (0..whole.len()).map(|length| read(&whole[..length])).collect();
        assert!(found[..42].iter().all(Option::is_none), "no port");
        assert!(found[42..].iter().all(|heading| heading.is_some_and(|heading| heading.has_vni == 0)));
    }
}
