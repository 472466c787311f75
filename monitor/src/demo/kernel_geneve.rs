//! The kernel's own Geneve devices as tunnel endpoints, where the kernel has them.
//!
//! A device is made in the node's namespace and moved to the pod's: its UDP socket stays in the node.

use anyhow::Result;

use super::{
    netns::Namespace,
    topology::{Family, GENEVE_PORT, Node, TUNNELS, Tunnel},
};

/// Says why this kernel cannot make Geneve devices, by trying one in a namespace of the demo.
pub(super) fn probe(namespace: &Namespace) -> Result<()> {
    namespace.ip(&format!(
        "link add probe type geneve id 1 remote 192.0.2.2 dstport {GENEVE_PORT} df set\n\
         link del probe\n"
    ))
}

/// Makes the tunnel devices of one node and sets them up in its pods.
pub(super) fn create(node: Node, namespace: &Namespace, pods: &[Namespace; TUNNELS.len()]) -> Result<()> {
    for (tunnel, pod) in TUNNELS.iter().zip(pods) {
        namespace.ip(&script(tunnel, node, &pod.path()))?;
        pod.configure("eth0", tunnel.mtu_bytes, &tunnel.pod_prefixes(node))?;
    }
    Ok(())
}

fn script(tunnel: &Tunnel, node: Node, pod: &str) -> String {
    let vni = tunnel.vni;
    let remote = node.peer().underlay(tunnel.outer);
    let df = match tunnel.outer {
        Family::V4 => "df set",
        // IPv6 routers never fragment, and there is no such bit.
        Family::V6 => "",
    };
    format!(
        "link add geneve{vni} type geneve id {vni} remote {remote} dstport {GENEVE_PORT} ttl 64 {df}\n\
         link set geneve{vni} netns {pod} name eth0\n"
    )
}
