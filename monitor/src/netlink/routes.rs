//! Which device the kernel sends to an address by.

use std::io;
use std::net::IpAddr;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{NLM_F_ACK, Request, Route, attributes, number};

/// Header of a message about a route (struct rtmsg).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct RouteHeader {
    family: u8,
    destination_prefix: u8,
    source_prefix: u8,
    service: u8,
    table: u8,
    protocol: u8,
    scope: u8,
    kind: u8,
    flags: u32,
}

/// The route to one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hop {
    /// Index of the device.
    pub(crate) device: u32,
    /// Whether the address is this node's own.
    pub(crate) is_local: bool,
}

impl Route {
    /// How packets to this address leave.
    pub(crate) fn toward(&mut self, address: IpAddr) -> io::Result<Hop> {
        let (family, octets, bits) = match address {
            IpAddr::V4(v4) => (libc::AF_INET, v4.octets().to_vec(), 32),
            IpAddr::V6(v6) => (libc::AF_INET6, v6.octets().to_vec(), 128),
        };
        let header = RouteHeader { family: family as u8, destination_prefix: bits, ..RouteHeader::default() };
        let request = Request::new(libc::RTM_GETROUTE, 0, &header).with(libc::RTA_DST, &octets);
        self.send(&request, NLM_F_ACK)?;
        let mut found = None;
        self.answer(|message| found = hop(message.body).or(found))?;
        found.ok_or_else(|| io::Error::from_raw_os_error(libc::ENETUNREACH))
    }
}

fn hop(body: &[u8]) -> Option<Hop> {
    let (header, rest) = RouteHeader::read_from_prefix(body).ok()?;
    let device = attributes(rest).find(|(kind, _)| *kind == libc::RTA_OIF).and_then(|(_, value)| number(value))?;
    Some(Hop { device, is_local: header.kind == libc::RTN_LOCAL })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_nodes_own_is_told_apart() {
        let hop = Route::open().unwrap().toward(IpAddr::from([127, 0, 0, 1])).unwrap();
        assert_eq!(hop, Hop { device: 1, is_local: true });
    }
}
