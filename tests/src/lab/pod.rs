//! A pod: a namespace whose `eth0` is a port of a node's `br-int`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;

use super::node::Node;
use super::{DEVICE, Lab};
use crate::netns::{self, End, Namespace};

/// A pod of a lab.
#[derive(Debug)]
pub struct Pod {
    pub name: String,
    pub namespace: Namespace,
    pub mac: String,
    pub ipv4: Ipv4Addr,
    pub ipv6: Ipv6Addr,
    /// The VNI of its network.
    pub vni: u32,
    /// 1 or 2.
    pub node: usize,
}

impl Pod {
    pub fn address(&self, ipv6: bool) -> IpAddr {
        if ipv6 { self.ipv6.into() } else { self.ipv4.into() }
    }
}

/// Makes pod `p<node><network>` and its device `v-p<node><network>` in the node; the port is not yet in a bridge.
pub(super) fn create(lab: &Lab, node: &Node, at: (usize, usize), address: Ipv4Addr, vni: u32) -> Result<Pod> {
    let (index, network) = at;
    let name = format!("p{index}{network}");
    let namespace = Namespace::create(&name)?;
    let ipv6 = inner_ipv6(address);
    let addresses = [format!("{address}/24"), format!("{ipv6}/64")];
    let (mac, port) = (format!("02:60:00:00:0{network}:0{index}"), format!("v-{name}"));
    let inside = End { namespace: &namespace, device: DEVICE, mac: Some(&mac), addresses: &addresses };
    netns::veth(inside, End::bare(&node.namespace, &port), lab.options.pod_mtu)?;
    if !lab.options.kernel {
        netns::offloads_off(&namespace, DEVICE)?;
    }
    Ok(Pod { name, namespace, mac, ipv4: address, ipv6, vni, node: index })
}

/// `fd10:<b>::<d>` for `10.<b>.0.<d>`, in decimal digits.
pub(super) fn inner_ipv6(ipv4: Ipv4Addr) -> Ipv6Addr {
    let [_, network, _, host] = ipv4.octets();
    format!("fd10:{network}::{host}").parse().expect("decimal digits are hexadecimal digits too")
}
