//! OVN's Southbound database: nodes by their chassis, virtual networks by their keys, logical ports and pods.
//!
//! Ports are asked for by themselves, after nodes and networks: if there are too many, the rest is there without them.

mod ports;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;

use super::Hub;
use super::ovs::Ovn;
use super::ovsdb::{
    Change, Column, Kind, METHODS, Paths, Remote, Request, Row, Rows, Schema, Subject, Target, Trouble, follow,
};
use crate::inventory::{self, Facts, Name, Network, NetworkKind, Node, Source, State};
use ports::Ports;

/// How long the answer about nodes and networks may take, and that about ports.
const PATIENCE: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(60)];

const CHASSIS: Schema =
    Schema { table: "Chassis", columns: &[Column("name", Kind::Value), Column("hostname", Kind::Value)], most: 8192 };
const ENCAP: Schema =
    Schema { table: "Encap", columns: &[Column("ip", Kind::Value), Column("chassis_name", Kind::Value)], most: 16_384 };
/// A Kubernetes cluster has a network or several a node, an OpenStack cloud one or several a tenant.
const DATAPATH: Schema = Schema {
    table: "Datapath_Binding",
    columns: &[
        Column("tunnel_key", Kind::Value),
        Column("external_ids", Kind::Map(&["name", "name2", "logical-switch", "logical-router", "interconn-ts"])),
    ],
    most: 8192,
};

/// The first key of transit switches of OVN-Kubernetes.
const TRANSIT_KEYS: u32 = 16_711_683;

/// Where files of TLS are by Kube-OVN's custom.
fn usual_paths() -> Paths {
    let file = |name: &str| Some(Path::new("/var/run/tls").join(name)).filter(|path| path.exists());
    Paths { authority: file("cacert"), own: file("cert").zip(file("key")) }
}

/// Follows the database at these remotes.
pub(super) async fn run(hub: Hub, remotes: Vec<Remote>, paths: Paths, mut ovn: watch::Receiver<Option<Ovn>>) {
    loop {
        let told = ovn.borrow_and_update().clone().unwrap_or_default();
        let target = Target { remotes: remotes.clone(), paths: paths.or(&told.paths).or(&usual_paths()) };
        let mut subject = Southbound::default();
        tokio::select! {
            never = follow(hub.clone(), inventory::Kind::OvnSb, &mut subject, &target) => match never {},
            () = changes(&mut ovn, |now| now.paths != told.paths) => {}
        }
    }
}

/// Follows the database that the node's switch names, as it comes and changes.
pub(super) async fn run_auto(hub: Hub, paths: Paths, mut ovn: watch::Receiver<Option<Ovn>>) {
    let mut was_there = false;
    loop {
        let told = ovn.borrow_and_update().clone().unwrap_or_default();
        let trouble = match Remote::list(&told.remote) {
            Ok(remotes) => {
                was_there = true;
                let target = Target { remotes, paths: paths.or(&told.paths).or(&usual_paths()) };
                let mut subject = Southbound::default();
                tokio::select! {
                    never = follow(hub.clone(), inventory::Kind::OvnSb, &mut subject, &target) => match never {},
                    () = changes(&mut ovn, |now| *now != told) => continue,
                }
            }
            Err(trouble) => trouble,
        };
        if was_there || !told.remote.is_empty() {
            let trouble = Name::new(&format!("the node's switch names no database (ovn-remote): {trouble}"));
            let (kind, from) = (inventory::Kind::OvnSb, Name::new(&told.remote));
            let synced = hub.synced(kind);
            hub.tell(Source { kind, state: State::Down, from, trouble: Some(trouble), entries: 0, synced }, None);
        }
        changes(&mut ovn, |now| *now != told).await;
    }
}

/// Returns when what the switch says is different.
async fn changes(ovn: &mut watch::Receiver<Option<Ovn>>, is_other: impl Fn(&Ovn) -> bool) {
    let is_other = |now: &Option<Ovn>| now.as_ref().is_some_and(&is_other);
    if ovn.wait_for(is_other).await.is_err() {
        // Nobody follows the switch.
        std::future::pending().await
    }
}

/// Rows of the database.
struct Southbound {
    chassis: Rows,
    encaps: Rows,
    datapaths: Rows,
    ports: Ports,
    /// Why there are no ports.
    without_ports: Option<String>,
}

impl Default for Southbound {
    fn default() -> Self {
        Self {
            chassis: Rows::new(CHASSIS),
            encaps: Rows::new(ENCAP),
            datapaths: Rows::new(DATAPATH),
            ports: Ports::default(),
            without_ports: None,
        }
    }
}

impl Subject for Southbound {
    fn database(&self) -> &'static str {
        "OVN_Southbound"
    }

    fn requests(&self) -> Vec<Request> {
        let tables = [CHASSIS, ENCAP, DATAPATH].iter().map(Schema::request).collect();
        let mut requests = vec![Request { tables, methods: METHODS, patience: PATIENCE[0] }];
        // Updates of the oldest method have whole rows, so that nothing has to be kept for the sake of differences.
        let ports = || Request {
            tables: [ports::request()].into_iter().collect(),
            methods: &["monitor"],
            patience: PATIENCE[1],
        };
        requests.extend(self.without_ports.is_none().then(ports));
        requests
    }

    fn clear(&mut self) {
        *self = Self { without_ports: self.without_ports.take(), ..Self::default() };
    }

    fn take(&mut self, table: &str, uuid: u128, change: &Change) -> Result<(), Trouble> {
        if table == ports::TABLE {
            return self.ports.take(uuid, change);
        }
        let tables = [&mut self.chassis, &mut self.encaps, &mut self.datapaths];
        tables.into_iter().try_for_each(|rows| rows.take(table, uuid, change))
    }

    fn facts(&self) -> (Facts, Option<String>) {
        let mut facts = Facts::default();
        self.nodes(&mut facts);
        let datapaths = self.networks(&mut facts);
        self.ports.tell(&datapaths, &mut facts);
        let is_full = [&self.chassis, &self.encaps].iter().any(|rows| rows.is_full);
        facts.has_all_nodes = !is_full && !facts.nodes.is_empty();
        facts.has_all_networks = !self.datapaths.is_full && !facts.networks.is_empty();
        let full = is_full.then(|| format!("more than {} chassis or {} encaps", CHASSIS.most, ENCAP.most));
        let many = self.datapaths.is_full.then(|| format!("more than {} networks", DATAPATH.most));
        let missing: Vec<String> = [full, many, self.without_ports.clone()].into_iter().flatten().collect();
        (facts, (!missing.is_empty()).then(|| missing.join("; ")))
    }

    fn lessen(&mut self, trouble: &Trouble) -> bool {
        let is_less = self.without_ports.is_none() && self.is_known();
        if is_less {
            self.without_ports = Some(format!("without ports: {trouble}"));
        }
        is_less
    }
}

impl Southbound {
    /// Whether nodes or networks have come, so that what was too much are ports.
    fn is_known(&self) -> bool {
        self.chassis.iter().next().is_some() || self.datapaths.iter().next().is_some()
    }

    fn nodes(&self, facts: &mut Facts) {
        for (_, row) in self.chassis.iter() {
            let (chassis, hostname) = (row.text("name"), row.text("hostname"));
            let Some(chassis) = Name::some(chassis) else { continue };
            let name = Name::some(hostname).unwrap_or_else(|| chassis.clone());
            facts.chassis.insert(chassis, name);
        }
        for (_, row) in self.encaps.iter() {
            let Ok(address) = row.text("ip").parse() else { continue };
            let chassis = Name::some(row.text("chassis_name"));
            let name = chassis.as_ref().map(|chassis| facts.chassis.get(chassis).unwrap_or(chassis).clone());
            facts.nodes.insert(address, Node { name, chassis });
        }
    }

    /// Adds the networks; returns their keys and kinds by UUID.
    fn networks(&self, facts: &mut Facts) -> HashMap<u128, (u32, NetworkKind)> {
        let mut datapaths = HashMap::new();
        for (uuid, row) in self.datapaths.iter() {
            let Ok(key) = row.text("tunnel_key").parse::<u32>() else { continue };
            let is_transit = key >= TRANSIT_KEYS && self.ports.is_transit(uuid);
            let kind = if is_transit { NetworkKind::Transit } else { kind(row) };
            datapaths.insert(uuid, (key, kind));
            // OpenStack: `name` is neutron-<uuid>, `name2` what people call it.
            let name = ["name2", "name", "interconn-ts"]
                .into_iter()
                .map(|name| row.key("external_ids", name))
                .find_map(Name::some);
            let name = name.unwrap_or_else(|| Name::new(&format!("key-{key}")));
            facts.networks.insert(key, Network { name, kind });
        }
        datapaths
    }
}

fn kind(row: &Row) -> NetworkKind {
    let has = |key| !row.key("external_ids", key).is_empty();
    match () {
        () if has("interconn-ts") => NetworkKind::Transit,
        () if has("logical-switch") => NetworkKind::Switch,
        () if has("logical-router") => NetworkKind::Router,
        () => NetworkKind::Other,
    }
}
