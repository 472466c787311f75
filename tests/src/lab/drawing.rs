//! A running lab as a picture with its addresses, and what to try in it.

use std::fmt::{self, Display, Formatter};

use super::{DEVICE, Kind, Lab, OVN_ROUTER_VNI};

/// The picture: nodes, pods, and commands that work as they stand.
impl Display for Lab {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let vlan = self.options.vlan.map(|vlan| format!(", VLAN {vlan}")).unwrap_or_default();
        writeln!(f, "underlay MTU {}, pod MTU {}{vlan}\n", self.options.underlay_mtu, self.options.pod_mtu)?;
        let addresses = format!("{}   {}", self.outer(1), self.outer(2));
        writeln!(f, "{:>29} {addresses:^34}", "")?;
        writeln!(f, "{:>29} {:^34}", "", format!("node1 {DEVICE} ──── {DEVICE} node2"))?;
        for pod in self.pods.iter().filter(|pod| pod.node == 1) {
            let peer = self.pod(&pod.name.replacen("p1", "p2", 1));
            let left = format!("{} {} {}", pod.ipv6, pod.ipv4, pod.name);
            writeln!(
                f,
                "{left:>29} ══════════ VNI {:<8} ══════════ {} {} {}",
                pod.vni, peer.name, peer.ipv4, peer.ipv6
            )?;
        }
        if self.kind == Kind::Ovn {
            writeln!(f, "{:>29}   lr0 (key {OVN_ROUTER_VNI}) is .254 of both networks", "")?;
        }
        self.fmt_commands(f)
    }
}

impl Lab {
    fn fmt_commands(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (from, to, node) = (self.pod("p11").namespace.name(), self.pod("p21"), self.node(1).name());
        writeln!(f, "\ntry:")?;
        writeln!(f, "  ip netns exec {from} ping {}", to.ipv4)?;
        if self.kind == Kind::Ovn {
            writeln!(f, "  ip netns exec {from} ping {}      # routed: another VNI each way", self.pod("p22").ipv4)?;
        }
        writeln!(f, "  ip netns exec {node} target/debug/tunmon --iface {DEVICE}")?;
        writeln!(f, "  ip netns exec {node} tcpdump -n -i {DEVICE}")?;
        for node in &self.nodes {
            writeln!(f, "  ovs-vsctl --db=unix:{}/db.sock show", node.directory().display())?;
        }
        Ok(())
    }
}
