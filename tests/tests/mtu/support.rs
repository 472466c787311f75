//! Two nodes with a router between them, and tunnel packets of any length from one to the other.
//!
//! ```text
//! near                        router                     far
//! eth0 192.0.2.1  ── 1500 ──  r0 192.0.2.254
//!      2001:db8:1::1            2001:db8:1::fe
//!                             r1 198.51.100.254 ── mtu ── eth0 198.51.100.2
//!                               2001:db8:2::fe                 2001:db8:2::2
//! ```
//! Packets leave by plain UDP sockets, so the kernel learns of their path what it would learn of its own tunnels'.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use serde_json::Value;
use tests::bench::packets::{CLIENT, SERVER, ethernet_v4, geneve, ipv4, udp};
use tests::netns::{self, End, Namespace};
use tests::tunmon::{self, Tunmon};
use tests::{needs, wait};

/// The kernel learns within microseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a router on a way of 1400 bytes makes the kernel learn.
pub(super) const NARROW: u16 = 1400;
/// Header of OVN's option, and its two ports.
const OVN: [u8; 8] = [0x01, 0x02, 0x80, 1, 0, 1, 0, 2];

/// The near node's end of the way, and the far one.
pub(super) struct Way {
    pub(super) near: Namespace,
    pub(super) router: Namespace,
    far: Namespace,
}

/// Addresses of near and far.
pub(super) fn ends(ipv6: bool) -> [IpAddr; 2] {
    if ipv6 {
        ["2001:db8:1::1", "2001:db8:2::2"].map(|address| address.parse().unwrap())
    } else {
        [[192, 0, 2, 1].into(), [198, 51, 100, 2].into()]
    }
}

impl Way {
    /// Makes it, with a second half of this MTU, or says why not; `route` is appended to the near node's routes.
    pub(super) fn create(mtu: u16, route: &str) -> Option<Self> {
        if let Some(reason) = tunmon::missing(&[needs::NETWORK]) {
            needs::skip(&reason);
            return None;
        }
        let [near, router, far] = ["near", "router", "far"].map(|label| Namespace::create(label).unwrap());
        join(
            (&near, "eth0", ["192.0.2.1/24", "2001:db8:1::1/64"]),
            (&router, "r0", ["192.0.2.254/24", "2001:db8:1::fe/64"]),
            1500,
        );
        let end = ["198.51.100.2/24", "2001:db8:2::2/64"];
        join((&router, "r1", ["198.51.100.254/24", "2001:db8:2::fe/64"]), (&far, "eth0", end), mtu);
        router.sysctl(&[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")]).unwrap();
        let routes = [("198.51.100.0/24", "192.0.2.254"), ("2001:db8:2::/64", "2001:db8:1::fe")];
        near.ip(&routes.map(|(to, via)| format!("route add {to} via {via} {route}"))).unwrap();
        far.ip(&["route add default via 198.51.100.254", "route add default via 2001:db8:2::fe"]).unwrap();
        Some(Self { near, router, far })
    }

    /// Watches the near node's device.
    pub(super) fn watch(&self, arguments: &str) -> Tunmon {
        Tunmon::start(&self.near, "eth0", &format!("--interval 200ms {arguments}")).unwrap()
    }

    /// Sends a tunnel packet of this length from near to far; with OVN's option if `has_option`.
    pub(super) fn send(&self, ipv6: bool, length: u16, has_option: bool) {
        let [near, far] = ends(ipv6);
        send(&self.near, [near, far], length, has_option);
    }

    /// The same from far to near.
    pub(super) fn answer(&self, ipv6: bool, length: u16) {
        let [near, far] = ends(ipv6);
        send(&self.far, [far, near], length, false);
    }

    /// Sends a packet that is too long for the second half, and waits until the near node has learned that; returns what
    /// iproute2 says of the way.
    pub(super) fn learn(&self, ipv6: bool) -> String {
        self.send(ipv6, 1500, false);
        let has_learned = || Ok(Some(self.asked(ipv6)).filter(|route| route.contains("expires")));
        wait::until("the kernel to learn", PATIENCE, has_learned).unwrap()
    }

    /// What iproute2 says of the way.
    pub(super) fn asked(&self, ipv6: bool) -> String {
        let [near, far] = ends(ipv6);
        self.near.run(&format!("ip route get {far} from {near}")).unwrap()
    }
}

/// The number behind a word of iproute2's, without its unit.
pub(super) fn number_behind(text: &str, word: &str) -> Option<u64> {
    let number = text.split_whitespace().skip_while(|found| *found != word).nth(1)?;
    number.trim_end_matches("sec").parse().ok()
}

/// The only peer of a record.
pub(super) fn peer(record: &Value) -> &Value {
    let [peer] = record["peers"].as_array().unwrap().as_slice() else { panic!("one peer, not {}", record["peers"]) };
    peer
}

/// Path MTU, its source, and what is left for pods.
pub(super) fn path(peer: &Value) -> (u64, &str, Option<u64>) {
    let mtu = peer["path_mtu_bytes"].as_u64().unwrap();
    (mtu, peer["path_mtu_source"].as_str().unwrap(), peer["recommended_inner_mtu_bytes"].as_u64())
}

type Side<'a> = (&'a Namespace, &'a str, [&'a str; 2]);

fn join((a, a_device, a_addresses): Side<'_>, (b, b_device, b_addresses): Side<'_>, mtu: u16) {
    let [near, far] = [a_addresses, b_addresses].map(|of| of.map(ToOwned::to_owned));
    let a = End { addresses: &near, ..End::bare(a, a_device) };
    netns::veth(a, End { addresses: &far, ..End::bare(b, b_device) }, mtu).unwrap();
}

fn send(from: &Namespace, [source, destination]: [IpAddr; 2], length: u16, has_option: bool) {
    let options: &[u8] = if has_option { &OVN } else { &[] };
    let words = (options.len() / 4) as u8;
    let around = if source.is_ipv4() { 20 } else { 40 } + 8 + 8 + options.len() + 14 + 20 + 8;
    let data = vec![0; usize::from(length) - around];
    let inner = ethernet_v4(&ipv4(17, 0, [CLIENT, SERVER], &udp([1000, 2000], &data)));
    let socket = {
        let _inside = from.enter().unwrap();
        UdpSocket::bind(SocketAddr::new(source, 0)).unwrap()
    };
    never_cut(&socket, source.is_ipv4()).unwrap();
    socket.send_to(&geneve([words, 0, 0x65, 0x58], options, &inner), (destination, 6081)).unwrap();
}

/// Has the socket's packets sent in one piece up to the MTU of the device, whatever was learned.
fn never_cut(socket: &UdpSocket, is_ipv4: bool) -> io::Result<()> {
    let (level, option, value) = if is_ipv4 {
        (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)
    } else {
        (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE)
    };
    let length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes at `value`, which lives until the call returns.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
