//! Who is where in the demo, as constants.
//!
//! ```text
//!        node 1                                       node 2
//!  pod 10.1.0.1 fd00:1::1 ──── VNI 100 ──── pod 10.1.0.2 fd00:1::2     over IPv4, 1442 bytes
//!  pod 10.2.0.1 fd00:2::1 ──── VNI 200 ──── pod 10.2.0.2 fd00:2::2     over IPv4, 1442 bytes
//!  pod 10.3.0.1 fd00:3::1 ──── VNI 300 ──── pod 10.3.0.2 fd00:3::2     over IPv6, 1430 bytes
//!  eth0 192.0.2.1              relay                 eth0 192.0.2.2    1500 bytes
//!       2001:db8::1       (this process)                  2001:db8::2
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::inventory::{self, Facts, Name, Network, NetworkKind};

/// IP version of an underlay, a pod or a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) const BOTH: [Self; 2] = [Self::V4, Self::V6];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// One of the two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    One = 1,
    Two = 2,
}

/// One logical network: a pod on each node and a Geneve tunnel between them.
pub(super) struct Tunnel {
    pub(super) vni: u32,
    name: &'static str,
    /// IP version of the underlay that carries it.
    pub(super) outer: Family,
    /// Whether the demo's own encapsulator adds the OVN option (class 0x0102, type 0x80).
    pub(super) ovn_option: bool,
    /// MTU of the pods, so that the outer packet has at most 1500 bytes.
    pub(super) mtu_bytes: u16,
    subnet: u8,
}

/// What everything is called.
pub(crate) fn names() -> Facts {
    let nodes = Node::BOTH.into_iter().flat_map(|node| {
        let name = Name::new(&format!("node{}", node as u8));
        let named = inventory::Node { name: Some(name), chassis: None };
        Family::BOTH.map(|family| (node.underlay(family), named.clone()))
    });
    let networks = TUNNELS.iter().map(|tunnel| {
        let network = Network { name: Name::new(tunnel.name), kind: NetworkKind::Switch };
        (tunnel.vni, network)
    });
    let pods = TUNNELS.iter().flat_map(|tunnel| {
        Node::BOTH.into_iter().flat_map(move |node| {
            let name = Name::new(&format!("{}/pod{}", tunnel.name, node as u8));
            Family::BOTH.map(|family| ((tunnel.vni, tunnel.pod(node, family)), name.clone()))
        })
    });
    let (has_all_nodes, has_all_networks) = (true, true);
    Facts {
        nodes: nodes.collect(),
        networks: networks.collect(),
        pods: pods.collect(),
        has_all_nodes,
        has_all_networks,
        ..Facts::default()
    }
}

pub(super) const UNDERLAY_MTU_BYTES: u16 = 1500;
pub(super) const GENEVE_PORT: u16 = 6081;

pub(super) const TUNNELS: [Tunnel; 3] = [
    Tunnel { vni: 100, name: "blue", outer: Family::V4, ovn_option: true, mtu_bytes: 1442, subnet: 1 },
    Tunnel { vni: 200, name: "green", outer: Family::V4, ovn_option: false, mtu_bytes: 1442, subnet: 2 },
    // 40 bytes of IPv6 + 8 of UDP + 8 of Geneve + 14 of Ethernet.
    Tunnel { vni: 300, name: "red", outer: Family::V6, ovn_option: false, mtu_bytes: 1430, subnet: 3 },
];

impl Node {
    pub(super) const BOTH: [Self; 2] = [Self::One, Self::Two];

    pub(super) fn peer(self) -> Self {
        match self {
            Self::One => Self::Two,
            Self::Two => Self::One,
        }
    }

    /// Address of the node's `eth0`.
    pub(super) fn underlay(self, family: Family) -> IpAddr {
        match family {
            Family::V4 => Ipv4Addr::new(192, 0, 2, self as u8).into(),
            Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, self as u16).into(),
        }
    }

    /// Both addresses of the node's `eth0` with their prefix lengths, as `ip addr add` takes them.
    pub(super) fn underlay_prefixes(self) -> [String; 2] {
        [format!("{}/24", self.underlay(Family::V4)), format!("{}/64", self.underlay(Family::V6))]
    }
}

impl Tunnel {
    /// Address of the pod on `node`.
    pub(super) fn pod(&self, node: Node, family: Family) -> IpAddr {
        match family {
            Family::V4 => Ipv4Addr::new(10, self.subnet, 0, node as u8).into(),
            Family::V6 => Ipv6Addr::new(0xfd00, self.subnet.into(), 0, 0, 0, 0, 0, node as u16).into(),
        }
    }

    /// Both addresses of the pod on `node` with their prefix lengths, as `ip addr add` takes them.
    pub(super) fn pod_prefixes(&self, node: Node) -> [String; 2] {
        [format!("{}/24", self.pod(node, Family::V4)), format!("{}/64", self.pod(node, Family::V6))]
    }
}
