//! The devices of a namespace and their addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Request, Route, attributes, number, text};

/// Header of a message about a device (struct ifinfomsg).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct DeviceHeader {
    family: u8,
    pad: u8,
    hardware: u16,
    index: i32,
    flags: u32,
    change: u32,
}

/// Header of a message about an address (struct ifaddrmsg).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct AddressHeader {
    family: u8,
    prefix: u8,
    flags: u8,
    scope: u8,
    index: u32,
}

/// Attributes that the libc crate does not name (linux/if_link.h).
const XDP_PROGRAM: u16 = 4;
const IFLA_LINK_NETNSID: u16 = 37;

/// What the kernel says about a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its index.
    pub(crate) index: u32,
    /// Its name.
    pub(crate) name: String,
    /// Its MTU, in bytes.
    pub(crate) mtu: u32,
    /// Kind of the hardware (ARPHRD).
    pub(crate) hardware: u16,
    /// Whether it is up.
    pub(crate) is_up: bool,
    /// Kind of a virtual device: `veth`, `vlan`, `bond`, …
    pub(crate) kind: Option<String>,
    /// Index of the bond, bridge or switch that it is a part of.
    pub(crate) master: Option<u32>,
    /// Index of the device of the same namespace that it lies upon, such as a VLAN's.
    pub(crate) lower: Option<u32>,
    /// Id of the XDP program that is attached.
    pub(crate) xdp: Option<u32>,
}

/// Where the counters stand in the statistics of a device (struct rtnl_link_stats64).
const TX_ERRORS: usize = 5;
const COLLISIONS: usize = 9;
const TX_CARRIER_ERRORS: usize = 17;

impl Route {
    /// What the kernel's Geneve devices have refused, all together. They count a loop as a collision and a missing route as
    /// a carrier error besides (`geneve_xmit`, Linux 5.10 to 6.18); what is left was too long.
    pub(crate) fn geneve_errors(&mut self) -> io::Result<u64> {
        let kind = Request::new(0, 0, &[0_u8; 0]).with(libc::IFLA_INFO_KIND, b"geneve\0").body;
        let request = Request::new(libc::RTM_GETLINK, 0, &DeviceHeader::default()).with(libc::IFLA_LINKINFO, &kind);
        let mut sum = 0;
        self.dump(&request, |message| match message {
            Some(body) => sum += geneve_refusals(body).unwrap_or(0),
            None => sum = 0,
        })?;
        Ok(sum)
    }

    /// All devices.
    pub(crate) fn links(&mut self) -> io::Result<Vec<Link>> {
        let request = Request::new(libc::RTM_GETLINK, 0, &DeviceHeader::default());
        let mut links = Vec::new();
        self.dump(&request, |message| match message {
            Some(body) => links.extend(link(body)),
            None => links.clear(),
        })?;
        Ok(links)
    }

    /// The addresses of a device, without link-local ones.
    pub(crate) fn addresses(&mut self, index: u32) -> io::Result<Vec<IpAddr>> {
        let request = Request::new(libc::RTM_GETADDR, 0, &AddressHeader::default());
        let mut found = Vec::new();
        self.dump(&request, |message| match message {
            Some(body) => found.extend(address(body).filter(|(of, _)| *of == index).map(|(_, address)| address)),
            None => found.clear(),
        })?;
        Ok(found)
    }
}

fn link(body: &[u8]) -> Option<Link> {
    let (header, rest) = DeviceHeader::read_from_prefix(body).ok()?;
    let is_up = header.flags & libc::IFF_UP.cast_unsigned() != 0;
    let (hardware, index) = (header.hardware, header.index.cast_unsigned());
    let mut link = Link { index, hardware, is_up, ..Link::default() };
    let mut is_abroad = false;
    for (kind, value) in attributes(rest) {
        match kind {
            libc::IFLA_IFNAME => link.name = text(value),
            libc::IFLA_MTU => link.mtu = number(value)?,
            libc::IFLA_MASTER => link.master = number(value),
            libc::IFLA_LINK => link.lower = number(value).filter(|lower| *lower != 0 && *lower != index),
            IFLA_LINK_NETNSID => is_abroad = true,
            libc::IFLA_LINKINFO => {
                let mut info = attributes(value);
                link.kind = info.find(|(kind, _)| *kind == libc::IFLA_INFO_KIND).map(|(_, value)| text(value));
            }
            libc::IFLA_XDP => {
                let mut xdp = attributes(value);
                link.xdp = xdp.find(|(kind, _)| *kind == XDP_PROGRAM).and_then(|(_, value)| number(value));
            }
            _ => {}
        }
    }
    // A veth device names its other end in the same way.
    if is_abroad || link.kind.as_deref() == Some("veth") {
        link.lower = None;
    }
    Some(link)
}

fn geneve_refusals(body: &[u8]) -> Option<u64> {
    // Kernels that do not filter a dump by kind tell of all devices.
    if link(body)?.kind.as_deref() != Some("geneve") {
        return None;
    }
    let (_, rest) = DeviceHeader::read_from_prefix(body).ok()?;
    let (_, statistics) = attributes(rest).find(|(kind, _)| *kind == libc::IFLA_STATS64)?;
    let counter = |at: usize| Some(u64::from_ne_bytes(statistics.get(8 * at..8 * at + 8)?.try_into().ok()?));
    let others = counter(COLLISIONS)? + counter(TX_CARRIER_ERRORS)?;
    Some(counter(TX_ERRORS)?.saturating_sub(others))
}

fn address(body: &[u8]) -> Option<(u32, IpAddr)> {
    let (header, rest) = AddressHeader::read_from_prefix(body).ok()?;
    let value = |wanted| attributes(rest).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    // Of a point-to-point device the first is the other end.
    let value = value(libc::IFA_LOCAL).or_else(|| value(libc::IFA_ADDRESS))?;
    let address = match i32::from(header.family) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?)),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?)),
        _ => return None,
    };
    let is_link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    (!is_link_local).then_some((header.index, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_has_its_index_and_address() {
        let mut route = Route::open().unwrap();
        let links = route.links().unwrap();
        let lo = links.iter().find(|link| link.name == "lo").unwrap();
        assert_eq!((lo.index, lo.hardware, lo.kind.as_deref()), (1, libc::ARPHRD_LOOPBACK, None));
        assert!(route.addresses(1).unwrap().iter().all(IpAddr::is_loopback));
    }

    #[test]
    fn a_geneve_device_tells_what_it_has_refused() {
        let message = |kind: &[u8]| {
            let info = Request::new(0, 0, &[0_u8; 0]).with(libc::IFLA_INFO_KIND, kind).body;
            let statistics: Vec<u8> =
                (0..24_u64).flat_map(|at| (if at == 5 { 100 } else { at }).to_ne_bytes()).collect();
            let request = Request::new(0, 0, &DeviceHeader::default()).with(libc::IFLA_LINKINFO, &info);
            request.with(libc::IFLA_STATS64, &statistics).body
        };
        assert_eq!(geneve_refusals(&message(b"geneve\0")), Some(100 - 9 - 17));
        assert_eq!(geneve_refusals(&message(b"veth\0")), None);
        assert!(Route::open().unwrap().geneve_errors().is_ok());
    }

    #[test]
    fn a_message_of_a_vlan_names_the_device_below_and_one_of_a_veth_does_not() {
        let header = DeviceHeader { index: 7, hardware: libc::ARPHRD_ETHER, ..DeviceHeader::default() };
        let of_kind = |kind: &[u8]| {
            let info = Request::new(0, 0, &[0_u8; 0]).with(libc::IFLA_INFO_KIND, kind).body;
            let request = Request::new(0, 0, &header).with(libc::IFLA_IFNAME, b"eth0.5\0");
            let request = request.with(libc::IFLA_LINK, &2_u32.to_ne_bytes()).with(libc::IFLA_LINKINFO, &info);
            link(&request.body).unwrap()
        };
        assert_eq!((of_kind(b"vlan\0").lower, of_kind(b"vlan\0").name.as_str()), (Some(2), "eth0.5"));
        assert_eq!(of_kind(b"veth\0").lower, None);
    }
}
