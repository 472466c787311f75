//! Two OVN chassis; two logical switches joined by a router.
//!
//! ```text
//!   10.10.0.1 p11 ┐         192.168.50.1   192.168.50.2         ┌ p21 10.10.0.2   ls0, VNI 1000
//!                 ├ br-int ══ node1 eth0 ── eth0 node2 ══ br-int ┤
//!   10.20.0.1 p12 ┘            (fd50::1) │  (fd50::2)           └ p22 10.20.0.2   ls1, VNI 70000
//!                                     central
//!                                 192.168.50.100     lr0 (key 7) is .254 of both networks
//! ```
//!
//! A packet is encapsulated with the VNI of its destination's network: a routed conversation has one VNI each way.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};

use super::central::Central;
use super::node::Node;
use super::{Lab, OVN_ROUTER_VNI, OVN_VNIS, daemon, pod};
use crate::ping::Ping;

pub(super) fn build(lab: &mut Lab) -> Result<()> {
    let central = Central::start(lab.state.path(), &lab.fabric)?;
    central.nbctl(&network())?;
    if lab.options.bfd {
        central.nbctl(GATEWAY)?;
    }
    let remote = central.remote(lab.options);
    lab.central = Some(central);
    for index in [1, 2] {
        lab.nodes.push(Node::start(index, lab.state.path(), &lab.fabric, lab.options)?);
        start_controller(lab, index, &remote)?;
    }
    for index in [1, 2] {
        add_pods(lab, index)?;
    }
    await_ready(lab)
}

/// The bridge is made here rather than by the controller, so that nobody has to wait for it.
fn start_controller(lab: &mut Lab, index: usize, remote: &str) -> Result<()> {
    let outer = lab.outer(index);
    let checksum = lab.options.udp_checksum.map(|on| format!("external_ids:ovn-encap-csum={on}")).unwrap_or_default();
    let node = &mut lab.nodes[index - 1];
    node.vsctl(&format!(
        "add-br br-int -- set bridge br-int datapath_type=netdev fail-mode=secure -- set Open_vSwitch . \
         external_ids:ovn-remote={remote} external_ids:ovn-encap-type=geneve external_ids:ovn-encap-ip={outer} \
         external_ids:ovn-bridge-datapath-type=netdev {checksum}"
    ))?;
    let database = format!("unix:{}", node.directory().join("db.sock").display());
    let controller = daemon::start(&node.namespace, node.directory(), "ovn-controller", &[database])?;
    // First in the list, so that it ends before the database that it talks to.
    node.daemons.insert(0, controller);
    Ok(())
}

fn address(network: usize, host: usize) -> Ipv4Addr {
    let octet = |n: usize| u8::try_from(n).expect("small numbers");
    Ipv4Addr::new(10, octet(network * 10), 0, octet(host))
}

fn add_pods(lab: &mut Lab, index: usize) -> Result<()> {
    for (network, vni) in (1..).zip(OVN_VNIS) {
        let pod = pod::create(lab, &lab.nodes[index - 1], (index, network), address(network, index), vni)?;
        let router = address(network, 254);
        let router6 = pod::inner_ipv6(router);
        pod.namespace.ip(&[format!("route add default via {router}"), format!("route add default via {router6}")])?;
        let name = &pod.name;
        lab.vsctl(index, &format!("add-port br-int v-{name} -- set interface v-{name} external_ids:iface-id={name}"))?;
        lab.pods.push(pod);
    }
    Ok(())
}

/// A router port that both chassis may host: OVN runs BFD only between candidates for the same gateway.
const GATEWAY: &str = "lrp-add lr0 lr0-out 02:60:00:00:0f:fe 192.0.2.254/24 \
    -- lrp-set-gateway-chassis lr0-out chassis-1 20 -- lrp-set-gateway-chassis lr0-out chassis-2 10";

/// The logical network as one `ovn-nbctl` transaction. The tunnel keys are asked for: left to itself, northd numbers
/// them in an order that changes from run to run.
fn network() -> String {
    let mut steps =
        vec!["lr-add lr0".to_owned(), format!("set Logical_Router lr0 options:requested-tnl-key={OVN_ROUTER_VNI}")];
    for (network, vni) in (1..).zip(OVN_VNIS) {
        let (switch, router) = (format!("ls{}", network - 1), address(network, 254));
        let port = format!("{switch}-lr0");
        let router6 = pod::inner_ipv6(router);
        steps.extend([
            format!("ls-add {switch}"),
            format!("set Logical_Switch {switch} other_config:requested-tnl-key={vni}"),
            format!("lrp-add lr0 lr0-{switch} 02:60:00:00:0{network}:fe {router}/24 {router6}/64"),
            format!("lsp-add {switch} {port} -- lsp-set-type {port} router -- lsp-set-addresses {port} router"),
            format!("lsp-set-options {port} router-port=lr0-{switch}"),
        ]);
        for node in [1, 2] {
            let name = format!("p{node}{network}");
            steps.push(format!("lsp-add {switch} {name}"));
            steps.push(format!("set Logical_Switch_Port {name} options:requested-tnl-key={node}{network}"));
        }
    }
    steps.join(" -- ")
}

fn await_ready(lab: &Lab) -> Result<()> {
    let central = lab.central.as_ref().context("an OVN lab has a central node")?;
    central.set_addresses(&lab.pods)?;
    let up = lab.pods.iter().map(|pod| format!("wait-until Logical_Switch_Port {} up=true", pod.name));
    central.nbctl(&up.collect::<Vec<_>>().join(" -- "))?;
    central.nbctl("--wait=hv sync")?;
    for (from, to) in [("p11", "p21"), ("p12", "p22"), ("p11", "p22"), ("p12", "p21")] {
        let (from, to) = (&lab.pod(from).namespace, lab.pod(to));
        Ping::to(to.ipv4).until_answered(from)?;
        Ping::to(to.ipv6).until_answered(from)?;
    }
    Ok(())
}
