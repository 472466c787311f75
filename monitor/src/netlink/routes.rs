//! The way to one address, as the kernel would send to it now: with what it has learned from ICMP on that way.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Request, Route, attributes, number};

/// Header of a message about a route (struct rtmsg).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct RouteHeader {
    family: u8,
    destination_bits: u8,
    source_bits: u8,
    service: u8,
    table: u8,
    protocol: u8,
    scope: u8,
    kind: u8,
    flags: u32,
}

/// Attributes and values that the libc crate does not name (linux/rtnetlink.h).
const RTAX_LOCK: u16 = 1;
const RTAX_MTU: u16 = 2;
/// The answer is about one destination; over IPv6 that is so only of what was learned.
const CLONED: u32 = 0x200;

/// The way to an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hop {
    /// Index of the device that packets leave by.
    pub(crate) device: u32,
    /// Whether the address is this node's own.
    pub(crate) is_own: bool,
    /// MTU of the route, or what was learned; without one that of the device holds.
    pub(crate) mtu: Option<u32>,
    /// Whether the route says that nothing may be learned.
    pub(crate) is_locked: bool,
    /// The MTU was learned from ICMP, and is forgotten after this time.
    pub(crate) expires: Option<Duration>,
}

impl Route {
    /// The way to `peer`, for packets from `local` if that is an address of this namespace.
    pub(crate) fn hop(&mut self, peer: IpAddr, local: Option<IpAddr>) -> io::Result<Hop> {
        let with_source = local.map(|local| self.ask_hop(peer, Some(local)));
        // Packets that are only passed on have a source that is not ours.
        match with_source {
            Some(Ok(hop)) => Ok(hop),
            Some(Err(_)) | None => self.ask_hop(peer, None),
        }
    }

    fn ask_hop(&mut self, peer: IpAddr, local: Option<IpAddr>) -> io::Result<Hop> {
        let mut found = None;
        self.ask(&request(peer, local), |body| found = hop(body))?;
        found.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

fn request(peer: IpAddr, local: Option<IpAddr>) -> Request {
    let (family, bits) = if peer.is_ipv4() { (libc::AF_INET, 32) } else { (libc::AF_INET6, 128) };
    let source_bits = if local.is_some() { bits } else { 0 };
    let header = RouteHeader { family: family as u8, destination_bits: bits, source_bits, ..RouteHeader::default() };
    let request = with_address(Request::new(libc::RTM_GETROUTE, 0, &header), libc::RTA_DST, peer);
    match local {
        Some(local) => with_address(request, libc::RTA_SRC, local),
        None => request,
    }
}

fn with_address(request: Request, kind: u16, address: IpAddr) -> Request {
    match address {
        IpAddr::V4(address) => request.with(kind, &address.octets()),
        IpAddr::V6(address) => request.with(kind, &address.octets()),
    }
}

fn hop(body: &[u8]) -> Option<Hop> {
    let (header, rest) = RouteHeader::read_from_prefix(body).ok()?;
    let (mut hop, mut expires) = (Hop { is_own: header.kind == libc::RTN_LOCAL, ..Hop::default() }, None);
    for (kind, value) in attributes(rest) {
        match kind {
            libc::RTA_OIF => hop.device = number(value)?,
            libc::RTA_METRICS => {
                for (kind, value) in attributes(value) {
                    match kind {
                        RTAX_MTU => hop.mtu = number(value).filter(|mtu| *mtu != 0),
                        RTAX_LOCK => hop.is_locked = number(value)? & (1 << RTAX_MTU) != 0,
                        _ => {}
                    }
                }
            }
            libc::RTA_CACHEINFO => expires = left(value),
            _ => {}
        }
    }
    // A route that a router has announced over IPv6 expires as well, and so does its MTU; it was not learned.
    if hop.mtu.is_some() && header.flags & CLONED != 0 {
        hop.expires = expires;
    }
    Some(hop)
}

/// The time until it is forgotten: third in struct rta_cacheinfo, in ticks of user space.
fn left(value: &[u8]) -> Option<Duration> {
    let ticks = number(value.get(8..12)?)?.cast_signed();
    // SAFETY: takes no pointers.
    let a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    (ticks > 0 && a_second > 0).then(|| Duration::from_secs_f64(f64::from(ticks) / a_second as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Linux 6.18 answers for an IPv4 destination of which it has learned an MTU of 1400 (`cache expires 598sec`).
    fn answer(flags: u32, metrics: &[u8], ticks: i32) -> Vec<u8> {
        let header = RouteHeader { family: libc::AF_INET as u8, destination_bits: 32, flags, ..RouteHeader::default() };
        let cache = [0, 0, ticks.cast_unsigned(), 0, 0, 0, 0].as_bytes().to_vec();
        let request = Request::new(0, 0, &header).with(libc::RTA_TABLE, &254_u32.to_ne_bytes());
        let request = with_address(request, libc::RTA_DST, [198, 51, 100, 2].into());
        let request = request.with(libc::RTA_OIF, &7_u32.to_ne_bytes()).with(libc::RTA_METRICS, metrics);
        request.with(libc::RTA_CACHEINFO, &cache).body
    }

    fn metrics(lock: u32, mtu: u32) -> Vec<u8> {
        let request = Request::new(0, 0, &[0_u8; 0]).with(RTAX_LOCK, &lock.to_ne_bytes());
        request.with(RTAX_MTU, &mtu.to_ne_bytes()).with(10, &64_u32.to_ne_bytes()).body
    }

    #[test]
    fn a_learned_mtu_has_an_end_and_a_configured_one_has_none() {
        let learned = hop(&answer(CLONED, &metrics(0, 1400), 59_800)).unwrap();
        let expires = Some(Duration::from_secs(598));
        let expected = Hop { device: 7, mtu: Some(1400), expires, ..Hop::default() };
        assert_eq!(learned, expected);
        let locked = hop(&answer(CLONED, &metrics(1 << RTAX_MTU, 1400), 0)).unwrap();
        assert_eq!(locked, Hop { is_locked: true, expires: None, ..expected });
        assert_eq!(hop(&answer(0, &metrics(0, 1400), 59_800)).unwrap().expires, None);
        assert_eq!(hop(&answer(CLONED, &[], 59_800)).unwrap(), Hop { device: 7, ..Hop::default() });
        assert_eq!(hop(&[0; 11]), None);
    }

    #[test]
    fn the_way_to_this_host_is_the_loopback_from_whatever_address() {
        let mut route = Route::open().unwrap();
        let home: IpAddr = [127, 0, 0, 1].into();
        for local in [None, Some(home), Some([192, 0, 2, 77].into())] {
            assert_eq!(route.hop(home, local).unwrap(), Hop { device: 1, is_own: true, ..Hop::default() });
        }
    }
}
