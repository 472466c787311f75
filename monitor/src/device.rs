//! Network devices: those that are to be watched, and what the kernel says of them.

mod ethtool;
mod facts;
mod pattern;

use std::ffi::CStr;
use std::fs;
use std::net::IpAddr;

use anyhow::{Context, Result};

use crate::failure::Failure;
use crate::netlink::{Link, Route};

pub use facts::{Facts, Queues};
pub(crate) use pattern::Pattern;

/// A device to be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Its MTU, in bytes.
    pub mtu: u32,
    /// Its addresses, without link-local ones.
    pub addresses: Vec<IpAddr>,
}

impl Device {
    /// The device of this name in the namespace of the calling thread.
    pub fn named(name: &str) -> Result<Self> {
        let mut route = Route::open().context("netlink")?;
        let links = route.links().context("the list of devices")?;
        let Some(link) = links.iter().find(|link| link.name == name) else { return Err(missing(name, &links).into()) };
        Self::of(&mut route, link)
    }

    /// The device that the kernel told of.
    pub(crate) fn of(route: &mut Route, link: &Link) -> Result<Self> {
        let name = &link.name;
        if !carries_ethernet(link) {
            let advice = "watch the device below it, on which the tunnel packets leave";
            return Err(Failure::usage(format!("{name} carries no Ethernet frames"), advice).into());
        }
        let addresses = route.addresses(link.index).with_context(|| format!("the addresses of {name}"))?;
        Ok(Self { name: name.clone(), index: link.index, mtu: link.mtu, addresses })
    }
}

/// Whether frames of this device begin with an Ethernet header.
pub(crate) fn carries_ethernet(link: &Link) -> bool {
    matches!(link.hardware, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK)
}

/// That there is no such device.
pub(crate) fn missing(name: &str, links: &[Link]) -> Failure {
    let there: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
    Failure::usage(format!("no network device {name:?}"), format!("there are: {}", there.join(", ")))
}

/// The name of the device that owns the default route, or of the only one that is not the loopback.
pub(crate) fn default_route(links: &[Link]) -> Result<String> {
    let routes = fs::read_to_string("/proc/thread-self/net/route").context("/proc/thread-self/net/route")?;
    let by_route = routes.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let name = fields.next()?;
        (fields.next()? == "00000000").then(|| name.to_owned())
    });
    let mut others = links.iter().filter(|link| link.name != "lo");
    let only = || others.next().filter(|_| others.next().is_none()).map(|link| link.name.clone());
    by_route
        .or_else(only)
        .ok_or_else(|| Failure::usage("no default route tells which device to watch", "name it: --iface NAME").into())
}

/// The name of the device with this index.
pub fn name_of(index: u32) -> Option<String> {
    let mut name = [0; libc::IFNAMSIZ];
    // SAFETY: the buffer has the size that the function asks for.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr()) };
    // SAFETY: on success the buffer holds a C string.
    (!found.is_null()).then(|| unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned())
}

/// Two of `chosen`, by name, of which one lies upon the other, so that both would see the same packets: a bond and a part of it, a
/// VLAN and its parent.
pub(crate) fn overlap(links: &[Link], chosen: &[u32]) -> Option<[String; 2]> {
    let by_index = |index: u32| links.iter().find(|link| link.index == index);
    for upper in chosen.iter().filter_map(|index| by_index(*index)) {
        let below = |link: &Link| upper.lower == Some(link.index) || link.master == Some(upper.index);
        let mut reached: Vec<u32> = vec![upper.index];
        let mut next: Vec<&Link> = links.iter().filter(|link| below(link)).collect();
        while let Some(lower) = next.pop() {
            if reached.contains(&lower.index) {
                continue;
            }
            if chosen.contains(&lower.index) {
                return Some([upper.name.clone(), lower.name.clone()]);
            }
            reached.push(lower.index);
            next.extend(
                links.iter().filter(|link| lower.lower == Some(link.index) || link.master == Some(lower.index)),
            );
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_there() {
        let device = Device::named("lo").unwrap();
        assert_eq!(device.index, 1);
        assert_eq!(name_of(1).as_deref(), Some("lo"));
    }

    #[test]
    fn a_missing_device_is_answered_with_those_that_exist() {
        for name in ["none-such", "", "a-name-that-is-far-too-long"] {
            let error = Device::named(name).unwrap_err().to_string();
            assert!(error.contains("there are: lo") || error.contains(", lo"), "{error}");
        }
    }

    #[test]
    fn devices_that_lie_upon_each_other_overlap() {
        let link = |index, name: &str| Link { index, name: name.to_owned(), ..Link::default() };
        let links = [
            link(1, "lo"),
            Link { master: Some(4), ..link(2, "eth0") },
            Link { master: Some(4), ..link(3, "eth1") },
            link(4, "bond0"),
            Link { lower: Some(4), ..link(5, "bond0.7") },
            link(6, "eth2"),
        ];
        assert_eq!(overlap(&links, &[2, 3, 6]), None);
        assert_eq!(overlap(&links, &[2, 4]), Some(["bond0".to_owned(), "eth0".to_owned()]));
        assert_eq!(overlap(&links, &[5, 6, 3]), Some(["bond0.7".to_owned(), "eth1".to_owned()]));
        assert_eq!(overlap(&links, &[5]), None);
        // Bad news from the kernel must not make this run for ever.
        let ring = [Link { lower: Some(2), ..link(1, "a") }, Link { lower: Some(1), ..link(2, "b") }, link(3, "c")];
        assert_eq!(overlap(&ring, &[1, 3]), None);
    }
}
