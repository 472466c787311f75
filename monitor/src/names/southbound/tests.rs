use serde_json::{Map, Value, json};

use super::*;

/// The rows of a dump as `ovsdb-client dump --format=json` writes it.
fn dump(subject: &mut Southbound, text: &str) {
    let dump: Value = serde_json::from_str(text).unwrap();
    let headings = dump["headings"].as_array().unwrap();
    let table = dump["caption"].as_str().unwrap().trim_end_matches(" table");
    for row in dump["data"].as_array().unwrap() {
        let columns: Map<String, Value> = headings
            .iter()
            .zip(row.as_array().unwrap())
            .map(|(name, value)| (name.as_str().unwrap().to_owned(), value.clone()))
            .collect();
        let uuid = columns["_uuid"][1].as_str().unwrap().replace('-', "");
        subject.take(table, u128::from_str_radix(&uuid, 16).unwrap(), &Change::Whole(columns)).unwrap();
    }
}

fn dumped() -> Southbound {
    let mut subject = Southbound::default();
    dump(&mut subject, include_str!("tests/chassis.json"));
    dump(&mut subject, include_str!("tests/encap.json"));
    dump(&mut subject, include_str!("tests/datapath_binding.json"));
    dump(&mut subject, include_str!("tests/port_binding.json"));
    subject
}

fn name(text: &str) -> Name {
    Name::new(text)
}

#[test]
fn a_real_database_tells_nodes_networks_ports_and_pods() {
    let (facts, missing) = dumped().facts();
    assert_eq!(missing, None);
    let node = &facts.nodes[&"172.31.7.2".parse().unwrap()];
    assert_eq!((&node.name, &node.chassis), (&Name::some("node2"), &Name::some("chassis-2")));
    let networks: Vec<_> =
        facts.networks.iter().map(|(key, network)| (*key, network.name.as_str(), network.kind)).collect();
    let (switch, router) = (NetworkKind::Switch, NetworkKind::Router);
    assert_eq!(
        networks,
        [(7, "lr0", router), (1000, "ls0", switch), (70_000, "ls1", switch), (16_711_679, "pub", switch)]
    );
    assert_eq!((&facts.ports[&(1000, 21)], &facts.ports[&(7, 4)]), (&name("lp-p21"), &name("cr-lr0-pub")));
    assert_eq!(facts.pods[&(1000, "10.201.0.2".parse().unwrap())], name("lp-p21"));
    assert_eq!(facts.pods[&(70_000, "fd20:202::1".parse().unwrap())], name("lp-p12"));
    // Routers have addresses too; they are no pods.
    assert_eq!(facts.pods.len(), 8);
    assert!(facts.has_all_nodes && facts.has_all_networks);
}

fn row(subject: &mut Southbound, table: &str, uuid: u128, columns: Value) {
    subject.take(table, uuid, &Change::Whole(columns.as_object().unwrap().clone())).unwrap();
}

#[test]
fn ports_of_a_transit_switch_are_nodes_and_no_pods() {
    let mut subject = Southbound::default();
    let ids = |pairs: Value| json!(["map", pairs]);
    row(
        &mut subject,
        "Datapath_Binding",
        1,
        json!({"tunnel_key": 16_711_683, "external_ids": ids(json!([["logical-switch", "u"], ["name", "transit_switch"]]))}),
    );
    row(
        &mut subject,
        "Datapath_Binding",
        2,
        json!({"tunnel_key": 5, "external_ids": ids(json!([["interconn-ts", "ts1"], ["logical-switch", "u"]]))}),
    );
    for (uuid, datapath) in [(10, 1), (11, 2)] {
        let datapath = json!(["uuid", format!("00000000-0000-0000-0000-{datapath:012}")]);
        row(
            &mut subject,
            "Port_Binding",
            uuid,
            json!({"logical_port": "tstor-node2", "tunnel_key": 2, "type": "remote",
            "datapath": datapath, "mac": "0a:58:64:58:00:02 100.88.0.2/16"}),
        );
    }
    let (facts, _) = subject.facts();
    assert_eq!(facts.networks[&16_711_683].kind, NetworkKind::Transit);
    assert_eq!((facts.networks[&5].kind, &facts.networks[&5].name), (NetworkKind::Transit, &name("ts1")));
    assert_eq!(facts.ports[&(16_711_683, 2)], name("tstor-node2"));
    assert!(facts.pods.is_empty());
}

#[test]
fn openstack_networks_have_the_name_that_people_gave_them() {
    let mut subject = Southbound::default();
    let ids = json!(["map", [["logical-switch", "u"], ["name", "neutron-5e6d"], ["name2", "blue"]]]);
    row(&mut subject, "Datapath_Binding", 1, json!({"tunnel_key": 3, "external_ids": ids}));
    assert_eq!(subject.facts().0.networks[&3].name, name("blue"));
}

#[test]
fn too_many_ports_leave_nodes_and_networks() {
    let mut subject = dumped();
    assert_eq!(subject.requests().len(), 2);
    assert!(subject.lessen(&Trouble::excess("more than enough")));
    assert!(!subject.lessen(&Trouble::excess("more than enough")));
    assert_eq!(subject.requests().len(), 1);
    subject.clear();
    dump(&mut subject, include_str!("tests/datapath_binding.json"));
    let (facts, missing) = subject.facts();
    assert_eq!((facts.networks.len(), missing.unwrap().as_str()), (4, "without ports: more than enough"));
}
