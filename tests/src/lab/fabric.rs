//! The underlay: a bridge in a namespace of its own.
//!
//! ```text
//!             fabric
//!   node1 eth0 ── nd1 ┐
//!   node2 eth0 ── nd2 ┼ br0
//! central eth0 ── ndc ┘       (OVN only)
//! ```

use anyhow::Result;

use super::{DEVICE, Options};
use crate::netns::{self, End, Namespace};

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
        namespace.ip(&[format!("link add br0 mtu {mtu} type bridge mcast_snooping 0").as_str(), "link set br0 up"])?;
        Ok(Self { namespace, options })
    }

    /// Plugs a namespace's `eth0` into `port` of the bridge.
    pub(super) fn plug(&self, port: &str, guest: End<'_>) -> Result<()> {
        netns::veth(End::bare(&self.namespace, port), End { device: DEVICE, ..guest }, self.options.underlay_mtu)?;
        self.namespace.ip(&[format!("link set {port} master br0")])?;
        if self.options.vlan.is_some() {
            // Else the tag travels beside the frame, where XDP at the other end cannot see it.
            self.namespace.run(&format!("ethtool -K {port} txvlan off"))?;
        }
        Ok(())
    }
}
