use serde_json::{Map, Value, json};

use super::*;
use crate::inventory::Node;

fn map(pairs: &[(&str, &str)]) -> Value {
    json!(["map", pairs])
}

fn whole(columns: Value) -> Change {
    Change::Whole(columns.as_object().cloned().unwrap_or_else(Map::new))
}

fn switches(ids: &[(&str, &str)], interfaces: &[Value]) -> Switches {
    let mut switches = Switches::default();
    let ssl = json!(["uuid", "00000000-0000-0000-0000-000000000009"]);
    switches.take("Open_vSwitch", 1, &whole(json!({"external_ids": map(ids), "ssl": ssl}))).unwrap();
    let files = json!({"private_key": "/etc/ovs/key", "certificate": "/etc/ovs/cert", "ca_cert": "/etc/ovs/ca"});
    switches.take("SSL", 9, &whole(files)).unwrap();
    for (uuid, interface) in (100..).zip(interfaces) {
        switches.take("Interface", uuid, &whole(interface.clone())).unwrap();
    }
    switches
}

const OWN: &[(&str, &str)] = &[
    ("system-id", "c1"),
    ("hostname", "node1"),
    ("ovn-encap-ip", "192.0.2.1, 192.0.2.11"),
    ("ovn-encap-csum", "true"),
    ("ovn-remote", "ssl:[192.0.2.100]:6642"),
];

fn tunnel(name: &str, remote: &str, id: &str) -> Value {
    json!({"name": name, "type": "geneve", "link_state": "up", "bfd_status": map(&[("state", "up")]),
        "options": map(&[("remote_ip", remote), ("csum", "true"), ("key", "flow")]), "external_ids": map(&[("ovn-chassis-id", id)])})
}

#[test]
fn the_node_and_its_peers_are_known_from_its_switch() {
    let other = json!({"name": "br-int", "type": "internal"});
    let (facts, missing) = switches(OWN, &[tunnel("ovn-c2-0", "192.0.2.2", "c2@192.0.2.2%192.0.2.1"), other]).facts();
    assert_eq!(missing, None);
    let own = Node { name: Name::some("node1"), chassis: Name::some("c1") };
    let peer = Node { name: None, chassis: Name::some("c2") };
    let nodes: Vec<_> = facts.nodes.iter().map(|(address, node)| (address.to_string(), node.clone())).collect();
    assert_eq!(nodes, [("192.0.2.1".into(), own.clone()), ("192.0.2.2".into(), peer), ("192.0.2.11".into(), own)]);
    let tunnel = &facts.tunnels[&"192.0.2.2".parse().unwrap()];
    assert_eq!((tunnel.interface.as_str(), tunnel.is_up, tunnel.csum), ("ovn-c2-0", Some(true), Some(true)));
    assert_eq!(tunnel.bfd_state, Name::some("up"));
    assert!(facts.has_all_nodes);
}

#[test]
fn a_tunnel_to_whoever_a_flow_names_leaves_peers_unknown() {
    let tunnels = [tunnel("a", "192.0.2.2", "c2"), tunnel("b", "flow", "")];
    assert!(!switches(OWN, &tunnels).facts().0.has_all_nodes);
    assert!(!switches(OWN, &[]).facts().0.has_all_nodes);
    let without_ovn = &[("system-id", "c1")];
    assert!(!switches(without_ovn, &tunnels[..1]).facts().0.has_all_nodes);
}

#[test]
fn a_chassis_is_told_in_three_ways() {
    for (id, remote) in [
        ("c@2", "192.0.2.2"),
        ("c@2@192.0.2.2", "192.0.2.2"),
        ("c@2@192.0.2.2%192.0.2.1", "192.0.2.2"),
        ("c@2@fd00::2%fd00::1", "fd00::2"),
    ] {
        assert_eq!(chassis(id, remote), Name::some("c@2"), "{id}");
    }
    assert_eq!(chassis("", "192.0.2.2"), None);
}

#[test]
fn the_southbound_database_is_told_with_its_files() {
    let ovn = switches(OWN, &[]).ovn();
    assert_eq!(ovn.remote, "ssl:[192.0.2.100]:6642");
    assert_eq!(ovn.paths.authority, Some("/etc/ovs/ca".into()));
    assert_eq!(ovn.paths.own, Some(("/etc/ovs/cert".into(), "/etc/ovs/key".into())));
}
