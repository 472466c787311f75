//! Logical ports, of which a cluster has as many as pods: 100 000 of them take some 50 MiB with all that is made of them
//! while it is made anew.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::super::ovsdb::{Change, Trouble, atoms, keys};
use crate::inventory::{Facts, Name, NetworkKind};

pub(super) const TABLE: &str = "Port_Binding";
/// Ports that are kept, and their addresses: a table of 2^17 takes them, and not many more.
const MOST: usize = 102_400;
/// Bytes of their names.
const NAMES_MOST: usize = 9 << 19;
/// Addresses of one port that are kept.
const ADDRESSES_MOST: usize = 8;

/// What is asked for.
pub(super) fn request() -> (String, Value) {
    let columns = ["logical_port", "tunnel_key", "datapath", "mac", "type", "external_ids"];
    (TABLE.to_owned(), json!([{ "columns": columns }]))
}

/// All ports.
#[derive(Default)]
pub(super) struct Ports {
    ports: HashMap<u128, Port>,
    /// Addresses and bytes of names of all of them.
    addresses: usize,
    name_bytes: usize,
    /// Datapaths with a port of OVN-Kubernetes' transit switch.
    transit: HashSet<u128>,
}

struct Port {
    datapath: u128,
    key: u16,
    name: Name,
    /// Those of a pod or VM.
    addresses: Box<[IpAddr]>,
}

impl Ports {
    /// Takes what has become of a port.
    pub(super) fn take(&mut self, uuid: u128, change: &Change) -> Result<(), Trouble> {
        if let Some(before) = self.ports.remove(&uuid) {
            self.addresses -= before.addresses.len();
            self.name_bytes -= before.name.as_str().len();
        }
        let columns = match change {
            Change::Gone => return Ok(()),
            Change::Part(_) => return Err(Trouble::new("a difference of a port, which nobody asked for")),
            Change::Whole(columns) => columns,
        };
        let Some(port) = Port::new(columns) else { return Ok(()) };
        self.addresses += port.addresses.len();
        self.name_bytes += port.name.as_str().len();
        if self.ports.len() >= MOST || self.addresses > MOST || self.name_bytes > NAMES_MOST {
            return Err(Trouble::excess(format!("more than {MOST} ports or addresses")));
        }
        if text(columns, "logical_port").contains("tstor-") && self.transit.len() < MOST {
            self.transit.insert(port.datapath);
        }
        self.ports.insert(uuid, port);
        Ok(())
    }

    /// Whether a datapath is OVN-Kubernetes' transit switch, by its ports.
    pub(super) fn is_transit(&self, datapath: u128) -> bool {
        self.transit.contains(&datapath)
    }

    /// Adds ports and pods. The ports of a transit switch are nodes: they are no pods.
    pub(super) fn tell(&self, datapaths: &HashMap<u128, (u32, NetworkKind)>, facts: &mut Facts) {
        facts.ports.reserve(self.ports.len());
        facts.pods.reserve(self.addresses);
        for port in self.ports.values() {
            let Some((vni, kind)) = datapaths.get(&port.datapath) else { continue };
            facts.ports.insert((*vni, port.key), port.name.clone());
            if *kind != NetworkKind::Transit {
                facts.pods.extend(port.addresses.iter().map(|address| ((*vni, *address), port.name.clone())));
            }
        }
    }
}

impl Port {
    fn new(columns: &Map<String, Value>) -> Option<Self> {
        let datapath = u128::from_str_radix(&text(columns, "datapath").replace('-', ""), 16).ok()?;
        let key = text(columns, "tunnel_key").parse().ok()?;
        let logical_port = text(columns, "logical_port");
        let ids = columns.get("external_ids").unwrap_or(&Value::Null);
        // Ports of routers and of the host have addresses too, which are no pod's.
        let is_pod = matches!(text(columns, "type").as_str(), "" | "virtual" | "external" | "remote");
        let mac: Vec<String> = columns.get("mac").map(|mac| atoms(mac).collect()).unwrap_or_default();
        let words = mac.iter().flat_map(|mac| mac.split_whitespace()).filter(|_| is_pod);
        let addresses = words.filter_map(|word| word.split('/').next()?.parse().ok()).take(ADDRESSES_MOST).collect();
        Some(Self { datapath, key, name: Name::new(&name(&logical_port, ids)), addresses })
    }
}

fn text(columns: &Map<String, Value>, column: &str) -> String {
    columns.get(column).and_then(|value| atoms(value).next()).unwrap_or_default()
}

/// What people call a port: Kube-OVN has `pod=namespace/name`; OVN-Kubernetes `namespace`, with the port called
/// `namespace_name`; OpenStack may have a `name`. Else it is the port's own.
fn name(logical_port: &str, ids: &Value) -> String {
    let id =
        |name: &str| keys(ids).find(|(key, _)| *key == name).map(|(_, value)| value).filter(|value| !value.is_empty());
    if let Some(pod) = id("pod").filter(|pod| pod.contains('/')) {
        return pod;
    }
    if let Some(namespace) = id("namespace")
        && let Some((_, pod)) = logical_port.split_once(&format!("{namespace}_"))
    {
        return format!("{namespace}/{pod}");
    }
    id("name").unwrap_or_else(|| logical_port.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_called_as_their_cluster_calls_them() {
        let ids = |pairs: Value| json!(["map", pairs]);
        assert_eq!(name("web.shop", &ids(json!([["ls", "ovn-default"], ["pod", "shop/web"]]))), "shop/web");
        assert_eq!(name("shop_web-0", &ids(json!([["namespace", "shop"], ["pod", "true"]]))), "shop/web-0");
        assert_eq!(name("net1_shop_web-0", &ids(json!([["namespace", "shop"], ["pod", "true"]]))), "shop/web-0");
        assert_eq!(name("5e6d6aee", &ids(json!([["name", "db"]]))), "db");
        assert_eq!(name("5e6d6aee", &ids(json!([["name", ""]]))), "5e6d6aee");
        assert_eq!(name("lp-p11", &Value::Null), "lp-p11");
    }

    #[test]
    fn too_many_ports_are_too_much_and_gone_ones_make_room() {
        let whole = |address: &str| {
            let columns = json!({"datapath": ["uuid", "bfa5f752-dd84-4d7e-ab11-b7e4877453f2"], "tunnel_key": 1,
                "logical_port": "p", "mac": address});
            Change::Whole(columns.as_object().unwrap().clone())
        };
        let mut ports = Ports::default();
        let change = whole("02:00:00:00:00:01 10.0.0.1");
        for uuid in 0..MOST as u128 {
            ports.take(uuid, &change).unwrap();
        }
        ports.take(5, &change).unwrap();
        ports.take(7, &Change::Gone).unwrap();
        ports.take(MOST as u128, &change).unwrap();
        assert!(ports.take(7, &change).unwrap_err().is_excess);
    }
}
