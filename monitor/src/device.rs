//! Network devices: what the kernel says of them.

use std::ffi::{CStr, CString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::{fs, ptr};

use anyhow::{Context, Result};

use crate::failure::Failure;

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
        let c_name = CString::new(name).ok().filter(|_| !name.is_empty() && name.len() < libc::IFNAMSIZ);
        // SAFETY: the name is a C string.
        let index = c_name.as_ref().map_or(0, |name| unsafe { libc::if_nametoindex(name.as_ptr()) });
        if index == 0 {
            let there = names().join(", ");
            return Err(Failure::usage(format!("no network device {name:?}"), format!("there are: {there}")).into());
        }
        if !matches!(request(name, libc::SIOCGIFHWADDR)?.hardware(), libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK) {
            let advice = "watch the device below it, on which the tunnel packets leave";
            return Err(Failure::usage(format!("{name} carries no Ethernet frames"), advice).into());
        }
        let mtu = request(name, libc::SIOCGIFMTU)?.mtu();
        Ok(Self { name: name.to_owned(), index, mtu, addresses: addresses(name)? })
    }

    /// The device that owns the default route, or the only one that is not the loopback.
    pub fn default_route() -> Result<Self> {
        let routes = fs::read_to_string("/proc/thread-self/net/route").context("/proc/thread-self/net/route")?;
        let by_route = routes.lines().skip(1).find_map(|line| {
            let mut fields = line.split_whitespace();
            let name = fields.next()?;
            (fields.next()? == "00000000").then(|| name.to_owned())
        });
        let mut others = names().into_iter().filter(|name| name != "lo");
        let only = || others.next().filter(|_| others.next().is_none());
        match by_route.or_else(only) {
            Some(name) => Self::named(&name),
            None => Err(Failure::usage("no default route tells which device to watch", "name it: --iface NAME").into()),
        }
    }
}

/// The names of all devices.
pub fn names() -> Vec<String> {
    let text = fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
    text.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

/// The name of the device with this index.
pub fn name_of(index: u32) -> Option<String> {
    let mut name = [0; libc::IFNAMSIZ];
    // SAFETY: the buffer has the size that the function asks for.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr()) };
    // SAFETY: on success the buffer holds a C string.
    (!found.is_null()).then(|| unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned())
}

/// The kernel's answer to a question about a device.
struct Answer(libc::ifreq);

impl Answer {
    fn mtu(&self) -> u32 {
        // SAFETY: the answer to SIOCGIFMTU is an integer; any bits are one.
        unsafe { self.0.ifr_ifru.ifru_mtu }.unsigned_abs()
    }

    /// Kind of the hardware (ARPHRD).
    fn hardware(&self) -> u16 {
        // SAFETY: the answer to SIOCGIFHWADDR is an address, whose family is an integer; any bits are one.
        unsafe { self.0.ifr_ifru.ifru_hwaddr.sa_family }
    }
}

fn request(name: &str, question: libc::Ioctl) -> Result<Answer> {
    // SAFETY: all zero is a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: a socket is opened, asked and closed; the request outlives the call.
    let result = unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        let result = libc::ioctl(socket, question, &raw mut request);
        libc::close(socket);
        result
    };
    if result != 0 {
        return Err(std::io::Error::last_os_error()).with_context(|| format!("the properties of {name}"));
    }
    Ok(Answer(request))
}

fn addresses(name: &str) -> Result<Vec<IpAddr>> {
    let mut first = ptr::null_mut();
    // SAFETY: the function fills the pointer with a list that is freed below.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Err(std::io::Error::last_os_error()).with_context(|| format!("the addresses of {name}"));
    }
    let (mut found, mut next) = (Vec::new(), first);
    while !next.is_null() {
        // SAFETY: the list's entries are valid until it is freed.
        let entry = unsafe { &*next };
        // SAFETY: the name is a C string.
        if unsafe { CStr::from_ptr(entry.ifa_name) }.to_bytes() == name.as_bytes() {
            found.extend(address(entry.ifa_addr));
        }
        next = entry.ifa_next;
    }
    // SAFETY: the list came from getifaddrs and is freed once.
    unsafe { libc::freeifaddrs(first) };
    Ok(found)
}

fn address(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: the family says which struct stands there.
    let ip = match i32::from(unsafe { (*address).sa_family }) {
        libc::AF_INET => {
            // SAFETY: as above.
            let inner = unsafe { (*address.cast::<libc::sockaddr_in>()).sin_addr.s_addr };
            IpAddr::V4(Ipv4Addr::from(u32::from_be(inner)))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let inner = unsafe { (*address.cast::<libc::sockaddr_in6>()).sin6_addr.s6_addr };
            IpAddr::V6(Ipv6Addr::from(inner))
        }
        _ => return None,
    };
    let is_link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    (!is_link_local).then_some(ip)
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
}
