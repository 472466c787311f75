//! Two nodes with real Geneve tunnels between them, in network namespaces, without a service manager, and but for
//! [`Options::kernel`] without a kernel module.
//!
//! ```text
//!   pods ── br-int ══ Geneve ══ br-phy ── eth0 ── nd1 [br0] nd2 ── eth0 ── br-phy ══ Geneve ══ br-int ── pods
//!           └────────── node1 ──────────────┘    └ fabric ┘    └──────────── node2 ────────────┘
//! ```
//!
//! The user-space datapath sends a tunnel only through a bridge that owns the route, so `br-phy` holds the node's underlay
//! address and `eth0` none; `eth0` is the device to watch. Every lab has namespaces, daemons and a state directory of its
//! own, so labs with the same addresses may run side by side. All ends on drop: daemons, namespaces, state, in that order.

mod central;
mod daemon;
mod drawing;
mod fabric;
mod node;
mod ovn;
mod ovs;
mod pod;

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::netns::{self, Namespace};
use crate::scratch::Scratch;
use crate::wait;
use central::Central;
use fabric::Fabric;
pub use node::Frozen;
use node::Node;
pub use pod::Pod;

/// The device of every node and pod that carries its traffic.
pub const DEVICE: &str = "eth0";
/// VNIs of [`Lab::ovs`]: pods `p<node>1`, `p<node>2` and `p<node>3`.
pub const OVS_VNIS: [u32; 3] = [100, 200, 16_777_215];
/// VNIs of [`Lab::ovn`]'s switches: `ls0` with pods `p<node>1`, `ls1` with pods `p<node>2`.
pub const OVN_VNIS: [u32; 2] = [1000, 70_000];
/// The tunnel key of [`Lab::ovn`]'s router.
pub const OVN_ROUTER_VNI: u32 = 7;

/// What may differ between labs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Tunnel endpoints are IPv6 addresses.
    pub ipv6: bool,
    /// The underlay is tagged with this VLAN.
    pub vlan: Option<u16>,
    /// Outer UDP checksums; `None` is the default of OVS (off) or OVN (on). Over IPv6 they are always on.
    pub udp_checksum: Option<bool>,
    pub underlay_mtu: u16,
    pub pod_mtu: u16,
    /// BFD in every tunnel: with OVS on each VNI, with OVN on VNI 0, for the sake of a gateway that is added.
    pub bfd: bool,
    /// The nodes are in networks of their own, with a router between them: it reports what is too long, or cuts it. Only with
    /// Open vSwitch alone.
    pub routed: bool,
    /// The kernel's datapath and Geneve device in place of the user-space ones; with Open vSwitch alone, without a VLAN.
    /// `eth0` then holds the node's underlay address, and pods keep their offloads.
    pub kernel: bool,
}

impl Default for Options {
    /// A pod MTU of 1400 fits through a 1500-byte underlay in every combination of the other options.
    fn default() -> Self {
        Self {
            ipv6: false,
            vlan: None,
            udp_checksum: None,
            underlay_mtu: 1500,
            pod_mtu: 1400,
            bfd: false,
            routed: false,
            kernel: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ovs,
    Ovn,
}

/// A running laboratory.
#[derive(Debug)]
pub struct Lab {
    // Fields are dropped in this order: what runs, then where it runs, then what it wrote.
    nodes: Vec<Node>,
    central: Option<Central>,
    pods: Vec<Pod>,
    fabric: Fabric,
    state: Scratch,
    options: Options,
    kind: Kind,
}

impl Lab {
    /// Two Open vSwitch nodes with one Geneve port per VNI of [`OVS_VNIS`]; returns when every pod reaches its partner.
    pub fn ovs(options: Options) -> Result<Self> {
        let mut lab = Self::empty(options, Kind::Ovs)?;
        ovs::build(&mut lab).context("the Open vSwitch lab did not come up")?;
        Ok(lab)
    }

    /// Two OVN chassis, a central node, two switches joined by a router; returns when pods answer, routed ones too.
    pub fn ovn(options: Options) -> Result<Self> {
        let mut lab = Self::empty(options, Kind::Ovn)?;
        ovn::build(&mut lab).context("the OVN lab did not come up")?;
        Ok(lab)
    }

    fn empty(options: Options, kind: Kind) -> Result<Self> {
        let state = Scratch::create("lab")?;
        let fabric = Fabric::create(options)?;
        Ok(Self { nodes: Vec::new(), central: None, pods: Vec::new(), fabric, state, options, kind })
    }

    /// Node 1 or 2; its [`DEVICE`] carries the tunnels.
    pub fn node(&self, index: usize) -> &Namespace {
        &self.node_at(index).namespace
    }

    /// The tunnel endpoint's address of node 1 or 2.
    pub fn outer(&self, index: usize) -> IpAddr {
        node::outer(index, self.options.ipv6, self.options)
    }

    /// The namespace in the middle, whose `nd1` and `nd2` lead to the nodes.
    pub fn fabric(&self) -> &Namespace {
        &self.fabric.namespace
    }

    /// A pod by its name: `p<node><network>`, as in `p11` … `p23`.
    pub fn pod(&self, name: &str) -> &Pod {
        self.pods.iter().find(|pod| pod.name == name).unwrap_or_else(|| panic!("this lab has no pod {name}"))
    }

    pub fn pods(&self) -> &[Pod] {
        &self.pods
    }

    /// `ovs-vsctl` at a node; `line` is split at blanks.
    pub fn vsctl(&self, index: usize, line: &str) -> Result<String> {
        self.node_at(index).vsctl(line)
    }

    /// Where node 1's or 2's switch has its database, as a remote.
    pub fn database(&self, index: usize) -> String {
        format!("unix:{}", self.node_at(index).directory().join("db.sock").display())
    }

    /// `ovs-appctl` at a node's `ovs-vswitchd`; `line` is split at blanks.
    pub fn appctl(&self, index: usize, line: &str) -> Result<String> {
        self.node_at(index).appctl(line)
    }

    /// `ovn-nbctl` at the central node; `line` is split at blanks.
    pub fn nbctl(&self, line: &str) -> Result<String> {
        self.central.as_ref().context("only an OVN lab has a northbound database")?.nbctl(line)
    }

    /// Stops a node's switch in its tracks until the guard drops: packets wait, none is lost while the queues last.
    pub fn freeze(&self, index: usize) -> Result<Frozen<'_>> {
        self.node_at(index).freeze()
    }

    /// Waits until no packet has passed node 1's device for `quiet`.
    pub fn settle(&self, quiet: Duration) -> Result<()> {
        let node = self.node(1);
        wait::until_stable("silence on node1's eth0", quiet, Duration::from_secs(20), || netns::traffic(node, DEVICE))?;
        Ok(())
    }

    fn node_at(&self, index: usize) -> &Node {
        self.nodes.get(index.wrapping_sub(1)).unwrap_or_else(|| panic!("this lab has no node {index}"))
    }
}
