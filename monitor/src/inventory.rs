//! Names of nodes and networks, as several sources tell them: data and how it is merged. No clock, no I/O.
//!
//! A source tells all that it knows at once, as [`Facts`]. An [`Inventory`] is what they say together: of each thing the
//! first source in the order of [`Kind`] that has a name for it decides.

mod name;
mod state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use name::Name;
pub use state::{Kind, Source, State};

/// What one source knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Nodes by the addresses of their tunnel endpoints.
    pub nodes: BTreeMap<IpAddr, Node>,
    /// Names of nodes by their OVN chassis, for sources that know the chassis of an address and no more.
    pub chassis: BTreeMap<Name, Name>,
    /// Virtual networks by VNI.
    pub networks: BTreeMap<u32, Network>,
    /// Logical ports by VNI and OVN port key.
    pub ports: HashMap<(u32, u16), Name>,
    /// Logical ports by VNI and address of a pod or VM.
    pub pods: HashMap<(u32, IpAddr), Name>,
    /// This node's tunnels, as its switch has them, by the address of the other end.
    pub tunnels: BTreeMap<IpAddr, Tunnel>,
    /// What this node's switch says of itself.
    pub switch: Option<Switch>,
    /// Whether an address that is not in `nodes` is no node.
    pub has_all_nodes: bool,
    /// Whether a VNI that is not in `networks` is no network.
    pub has_all_networks: bool,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: Option<Name>,
    /// Its OVN chassis.
    pub chassis: Option<Name>,
}

/// A virtual network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its name.
    pub name: Name,
    /// What it is to OVN.
    pub kind: NetworkKind,
}

/// What a virtual network is to OVN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkKind {
    /// A logical switch.
    Switch,
    /// A logical router.
    Router,
    /// The switch that joins zones (OVN interconnection): its ports are nodes, not pods.
    Transit,
    /// Nobody says.
    Other,
}

impl NetworkKind {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Switch => "switch",
            Self::Router => "router",
            Self::Transit => "transit",
            Self::Other => "other",
        }
    }
}

/// A tunnel of this node's switch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tunnel {
    /// Its interface in the switch.
    pub interface: Name,
    /// `link_state`: whether the interface is up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_up: Option<bool>,
    /// `bfd_status:state`, when BFD runs: `up`, `down`, `init`, `admin_down`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bfd_state: Option<Name>,
    /// `options:csum`: whether outer UDP checksums are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csum: Option<bool>,
}

/// What this node's switch says of itself (table `Open_vSwitch`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Switch {
    /// `external_ids:system-id`: its OVN chassis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_id: Option<Name>,
    /// `external_ids:hostname`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Name>,
    /// `external_ids:ovn-encap-ip`.
    pub encap_ips: Vec<IpAddr>,
    /// `external_ids:ovn-encap-type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encap_type: Option<Name>,
    /// `external_ids:ovn-encap-csum`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csum: Option<bool>,
    /// `external_ids:ovn-remote`: the Southbound database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<Name>,
}

/// Pods, up to which they are found by address alone too: a second table of more takes too much (7/8 of one of 2^16).
const FOUND_ALONE: usize = 57_344;

/// What all sources say together.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    told: BTreeMap<Kind, Arc<Facts>>,
    /// What is merged of them: small tables that are asked often.
    nodes: BTreeMap<IpAddr, (Node, Kind)>,
    networks: BTreeMap<u32, (Network, Kind)>,
    /// Pods by address alone, where all networks agree.
    pods: Arc<HashMap<IpAddr, Option<Name>>>,
    sources: BTreeMap<Kind, Source>,
}

impl Inventory {
    /// Takes all that a source says now, in place of what it said before.
    pub fn tell(&mut self, kind: Kind, facts: Facts) {
        self.told.insert(kind, Arc::new(facts));
        self.merge();
    }

    /// Takes how a source is.
    pub fn is(&mut self, source: Source) {
        self.sources.insert(source.kind, source);
    }

    /// The node at an address of the underlay, and who says so.
    pub fn node(&self, address: IpAddr) -> Option<(&Node, Kind)> {
        self.nodes.get(&address).map(|(node, kind)| (node, *kind))
    }

    /// The name of the node at an address of the underlay.
    pub fn node_name(&self, address: IpAddr) -> Option<&Name> {
        self.node(address)?.0.name.as_ref()
    }

    /// The network of a VNI, and who says so.
    pub fn network(&self, vni: u32) -> Option<(&Network, Kind)> {
        self.networks.get(&vni).map(|(network, kind)| (network, *kind))
    }

    /// The logical port of an OVN port key in a VNI. In a transit switch ports are nodes, not pods.
    pub fn port(&self, vni: u32, key: u16) -> Option<&Name> {
        self.told.values().find_map(|facts| facts.ports.get(&(vni, key)))
    }

    /// The pod or VM with an address inside the tunnels. Networks may share addresses: the one of this VNI is asked first,
    /// and others only if they agree, for a routed packet carries the VNI of one end. Of very many pods, others are not
    /// asked.
    pub fn pod(&self, vni: u32, address: IpAddr) -> Option<&Name> {
        let own = self.told.values().find_map(|facts| facts.pods.get(&(vni, address)));
        own.or_else(|| self.pods.get(&address)?.as_ref())
    }

    /// The tunnel of this node's switch to an address.
    pub fn tunnel(&self, peer: IpAddr) -> Option<&Tunnel> {
        self.told.values().find_map(|facts| facts.tunnels.get(&peer))
    }

    /// What this node's switch says of itself.
    pub fn switch(&self) -> Option<&Switch> {
        self.told.values().find_map(|facts| facts.switch.as_ref())
    }

    /// How the sources are, in the order in which they decide.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.values()
    }

    /// The source that knows all nodes and is there, if there is one.
    pub fn judge_of_nodes(&self) -> Option<&Source> {
        self.judge(|facts| facts.has_all_nodes)
    }

    /// The source that knows all networks and is there, if there is one.
    pub fn judge_of_networks(&self) -> Option<&Source> {
        self.judge(|facts| facts.has_all_networks)
    }

    fn judge(&self, has_all: impl Fn(&Facts) -> bool) -> Option<&Source> {
        let judges =
            self.told.iter().filter(|(_, facts)| has_all(facts)).filter_map(|(kind, _)| self.sources.get(kind));
        judges.filter(|source| source.state == State::Up).min_by_key(|source| source.kind)
    }

    fn merge(&mut self) {
        (self.nodes, self.networks) = Default::default();
        let mut pods = HashMap::<IpAddr, Option<Name>>::new();
        let is_found_alone = self.told.values().map(|facts| facts.pods.len()).sum::<usize>() <= FOUND_ALONE;
        let by_chassis = |chassis: &Name| self.told.values().find_map(|facts| facts.chassis.get(chassis)).cloned();
        let addresses: BTreeSet<IpAddr> = self.told.values().flat_map(|facts| facts.nodes.keys().copied()).collect();
        for address in addresses {
            let told = || self.told.iter().filter_map(move |(kind, facts)| Some((facts.nodes.get(&address)?, *kind)));
            let chassis = told().find_map(|(node, _)| node.chassis.clone());
            let named = told().find(|(node, _)| node.name.is_some()).or_else(|| told().next());
            let Some((node, kind)) = named else { continue };
            let name = node.name.clone().or_else(|| by_chassis(chassis.as_ref()?));
            self.nodes.insert(address, (Node { name, chassis }, kind));
        }
        for (kind, facts) in &self.told {
            for (vni, network) in &facts.networks {
                self.networks.entry(*vni).or_insert_with(|| (network.clone(), *kind));
            }
            for ((_, address), name) in facts.pods.iter().filter(|_| is_found_alone) {
                let agreed = pods.entry(*address).or_insert_with(|| Some(name.clone()));
                if agreed.as_ref() != Some(name) {
                    *agreed = None;
                }
            }
        }
        self.pods = Arc::new(pods);
    }
}
