//! The underlay: a bridge in a namespace of its own.
//!
//! ```text
//!             fabric
//!   node1 eth0 ── nd1 ┐
//!   node2 eth0 ── nd2 ┼ br0
//! central eth0 ── ndc ┘       (OVN only)
//! ```
//!
//! Or a router: each node has a network of its own, in which the fabric is 192.168.5<i>.254 and fd50:0:0:<i>::fe.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;

use super::{DEVICE, Options};
use crate::netns::{self, End, Namespace};

/// The router's number in every network.
pub(super) const ROUTER: u8 = 254;

/// Address of host `number` in the underlay network of a node.
pub(super) fn address(node: usize, number: u8, ipv6: bool, options: Options) -> IpAddr {
    let network = if options.routed { node as u8 } else { 0 };
    if ipv6 {
        Ipv6Addr::new(0xfd50, 0, 0, network.into(), 0, 0, 0, number.into()).into()
    } else {
        Ipv4Addr::new(192, 168, 50 + network, number).into()
    }
}

#[derive(Debug)]
pub(super) struct Fabric {
    pub(super) namespace: Namespace,
    options: Options,
}

impl Fabric {
    pub(super) fn create(options: Options) -> Result<Self> {
        let namespace = Namespace::create("fabric")?;
        namespace.sysctl(&[("ipv6/conf/default/disable_ipv6", "1")])?;
        let mtu = options.underlay_mtu;
        if options.routed {
            namespace.sysctl(&[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")])?;
            return Ok(Self { namespace, options });
        }
        namespace.ip(&[format!("link add br0 mtu {mtu} type bridge mcast_snooping 0").as_str(), "link set br0 up"])?;
        Ok(Self { namespace, options })
    }

    /// Plugs the `eth0` of a node's namespace into `port`.
    pub(super) fn plug(&self, node: usize, port: &str, guest: End<'_>) -> Result<()> {
        netns::veth(End::bare(&self.namespace, port), End { device: DEVICE, ..guest }, self.options.underlay_mtu)?;
        if self.options.routed {
            self.namespace.sysctl(&[(&format!("ipv6/conf/{port}/disable_ipv6"), "0")])?;
            let lines = [(false, 24), (true, 64)].map(|(ipv6, length)| {
                format!("addr add {}/{length} dev {port}", address(node, ROUTER, ipv6, self.options))
            });
            return self.namespace.ip(&lines);
        }
        self.namespace.ip(&[format!("link set {port} master br0")])?;
        if self.options.vlan.is_some() {
            // Else the tag travels beside the frame, where XDP at the other end cannot see it.
            self.namespace.run(&format!("ethtool -K {port} txvlan off"))?;
        }
        Ok(())
    }
}
