//! `tunmon demo`: two nodes, a Geneve tunnel with three VNIs between them, pods with real traffic, and a fault to choose.
//!
//! Who has which address is drawn in `topology`. Each node's `eth0` is a TAP device (native XDP and TC as on a real NIC)
//! whose cable is the relay, a thread here that applies the fault; so every fault works on every kernel. The tunnel is made
//! of kernel Geneve devices, or of an encapsulator of our own where the kernel has none.
//!
//! Contract: nothing outside the demo's own namespaces is touched, and all of it lives as descriptors and threads of this
//! process, so that nothing is left when it ends in whatever way.

mod encapsulator;
mod geneve;
mod impairment;
mod kernel_geneve;
mod netns;
mod oversize;
mod relay;
mod router;
mod sys;
mod tap;
#[cfg(test)]
mod tests;
pub(crate) mod topology;
mod traffic;
mod worker;

use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;

use encapsulator::Encapsulator;
use netns::Namespace;
use relay::Relay;
use topology::{Family, Node, TUNNELS, UNDERLAY_MTU_BYTES};
use worker::Workers;

/// What is wrong with the underlay of a demo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Each packet is 10 ms late, so each round trip takes 20 ms longer.
    Latency,
    /// IP packets of more than 1400 bytes vanish without an ICMP error.
    #[value(alias = "mtu")]
    MtuBlackhole,
    /// IP packets of more than 1400 bytes are dropped by a router, which says so by ICMP.
    MtuIcmp,
    /// IPv4 packets of more than 1400 bytes are cut in two by a router.
    MtuFragment,
    /// Pods whose MTU is too large for `eth0`: the sender on each node is refused what is too long.
    MtuLocal,
    /// One of 20 tunnel packets towards node 2 is lost.
    Loss,
}

/// A running demo; it ends when dropped.
pub struct Demo {
    // Dropped in this order: clients that are in the middle of a connection end at once while the tunnel still works.
    _traffic: Workers,
    _cables: Workers,
    nodes: [Site; 2],
    fault: Fault,
    encapsulator: String,
}

/// A node and its pods, one for each tunnel.
struct Site {
    node: Node,
    namespace: Namespace,
    pods: [Namespace; TUNNELS.len()],
}

impl Demo {
    /// Makes the nodes, the tunnel, the fault and the traffic; needs root.
    pub fn start(fault: Fault) -> Result<Self> {
        let nodes = [Site::create(Node::One)?, Site::create(Node::Two)?];
        let mut cables = Workers::default();
        connect_underlay(&mut cables, &nodes, fault)?;
        let encapsulator = connect_pods(&mut cables, &nodes, fault)?;
        let traffic = start_traffic(&nodes)?;
        Ok(Self { _traffic: traffic, _cables: cables, nodes, fault, encapsulator })
    }

    /// Moves the calling thread into node 1, whose device `eth0` carries the tunnel; threads that it starts later too.
    pub fn enter_node(&self) -> Result<()> {
        self.nodes[0].namespace.enter()
    }

    /// What there is to see, in a few lines for the user.
    pub fn description(&self) -> String {
        let mut text = format!("{:<24} {:^26} {}\n", "node 1 (watched)", "", "node 2");
        for tunnel in &TUNNELS {
            let [one, two] = Node::BOTH.map(|node| Family::BOTH.map(|family| tunnel.pod(node, family).to_string()));
            let name = format!("VNI {} over {}", tunnel.vni, tunnel.outer.name());
            text += &format!("{:<24} ◀── {name:^18} ──▶ {}\n", one.join(" "), two.join(" "));
        }
        let [one, two] = Node::BOTH.map(|node| Family::BOTH.map(|family| node.underlay(family).to_string()));
        text += &format!("{:<24} ◀── {:^18} ──▶ {}\n", one.join(" "), "eth0, 1500 bytes", two.join(" "));
        text += &format!("tunnel: {}\n", self.encapsulator);
        text += &format!("fault: {}\n", impairment::effect(self.fault));
        text + &format!("look inside: nsenter --net={} tcpdump -ni eth0\n", self.nodes[0].namespace.path())
    }
}

impl Site {
    fn create(node: Node) -> Result<Self> {
        let pods = [Namespace::create()?, Namespace::create()?, Namespace::create()?];
        for pod in &pods {
            pod.allow_icmp_sockets()?;
        }
        Ok(Self { node, namespace: Namespace::create()?, pods })
    }
}

fn connect_underlay(workers: &mut Workers, nodes: &[Site; 2], fault: Fault) -> Result<()> {
    let [one, two] = nodes.each_ref().map(|site| {
        let addresses = site.node.underlay_prefixes();
        let tap = site.namespace.tap("eth0", UNDERLAY_MTU_BYTES, &addresses);
        tap.with_context(|| format!("making eth0 of node {}", site.node as u8))
    });
    let relay = Relay::new([one?, two?], fault);
    workers.spawn("relay", move |stop| relay.run(stop))
}

/// Returns which tunnel endpoints there are, in words.
fn connect_pods(workers: &mut Workers, nodes: &[Site; 2], fault: Fault) -> Result<String> {
    let is_local = fault == Fault::MtuLocal;
    // The kernel's Geneve device would tell the pods, and they would send less.
    let own =
        if is_local { Err(anyhow!("the fault is in our own")) } else { kernel_geneve::probe(&nodes[0].namespace) };
    if let Err(reason) = own {
        for site in nodes {
            let encapsulator = site.namespace.run(|| Encapsulator::open(site.node, &site.pods, is_local))?;
            workers.spawn("encapsulator", move |stop| encapsulator.run(stop))?;
        }
        tracing::debug!("no kernel Geneve device: {reason}");
        if is_local {
            return Ok(
                "own encapsulator, VNI 100 with the OVN option; too long packets go by a packet socket".to_owned()
            );
        }
        return Ok("own encapsulator (this kernel has no Geneve device), VNI 100 with the OVN option".to_owned());
    }
    for site in nodes {
        kernel_geneve::create(site.node, &site.namespace, &site.pods)?;
    }
    Ok("kernel Geneve devices".to_owned())
}

/// Servers first, so that no client is refused.
fn start_traffic(nodes: &[Site; 2]) -> Result<Workers> {
    let mut workers = Workers::default();
    for pod in nodes.iter().flat_map(|site| &site.pods) {
        pod.run(|| traffic::serve(&mut workers))?;
    }
    for site in nodes {
        for (tunnel, pod) in TUNNELS.iter().zip(&site.pods) {
            pod.run(|| traffic::ask(&mut workers, tunnel, site.node))?;
        }
    }
    Ok(workers)
}
