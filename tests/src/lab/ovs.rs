//! Two plain Open vSwitch nodes, three VNIs.
//!
//! ```text
//!   10.1.0.1 p11 ┐         192.168.50.1   192.168.50.2         ┌ p21 10.1.0.2   VNI 100
//!   10.2.0.1 p12 ┼ br-int ══ node1 eth0 ── eth0 node2 ══ br-int ┼ p22 10.2.0.2   VNI 200
//!   10.3.0.1 p13 ┘            (fd50::1)     (fd50::2)           └ p23 10.3.0.2   VNI 16777215
//! ```

use std::fmt::Write;
use std::net::Ipv4Addr;

use anyhow::Result;

use super::node::Node;
use super::{Lab, OVS_VNIS, pod};
use crate::ping::Ping;

pub(super) fn build(lab: &mut Lab) -> Result<()> {
    for index in [1, 2] {
        lab.nodes.push(Node::start(index, lab.state.path(), &lab.fabric, lab.options)?);
    }
    for index in [1, 2] {
        add_pods(lab, index)?;
        lab.vsctl(index, &ports(lab, index))?;
    }
    for network in 1..=OVS_VNIS.len() {
        let to = lab.pod(&format!("p2{network}"));
        Ping::to(to.ipv4).until_answered(&lab.pod(&format!("p1{network}")).namespace)?;
        Ping::to(to.ipv6).until_answered(&lab.pod(&format!("p1{network}")).namespace)?;
    }
    Ok(())
}

fn add_pods(lab: &mut Lab, index: usize) -> Result<()> {
    for (network, vni) in (1..).zip(OVS_VNIS) {
        let address = Ipv4Addr::new(10, network, 0, u8::try_from(index)?);
        let pod = pod::create(lab, &lab.nodes[index - 1], (index, network.into()), address, vni)?;
        lab.pods.push(pod);
    }
    Ok(())
}

/// One `ovs-vsctl` transaction: `br-int`, a Geneve port and a pod's port for each VNI. A VLAN of `br-int` keeps the
/// networks apart inside the node.
fn ports(lab: &Lab, index: usize) -> String {
    let (local, remote) = (lab.outer(index), lab.outer(3 - index));
    let checksum = lab.options.udp_checksum.map(|on| format!(" options:csum={on}")).unwrap_or_default();
    let bfd = if lab.options.bfd { " bfd:enable=true bfd:min_tx=300 bfd:min_rx=300" } else { "" };
    let datapath = if lab.options.kernel { "system" } else { "netdev" };
    let mut line = format!("add-br br-int -- set bridge br-int datapath_type={datapath} fail-mode=standalone");
    for (network, vni) in (1..).zip(OVS_VNIS) {
        let tag = network * 10;
        write!(
            line,
            " -- add-port br-int g{vni} tag={tag} -- set interface g{vni} type=geneve options:key={vni} \
             options:local_ip={local} options:remote_ip={remote}{checksum}{bfd} \
             -- add-port br-int v-p{index}{network} tag={tag}"
        )
        .expect("a String takes all that is written");
    }
    line
}
