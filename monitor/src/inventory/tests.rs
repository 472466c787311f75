use super::*;

fn name(text: &str) -> Name {
    Name::new(text)
}

fn node(name: Option<&str>, chassis: Option<&str>) -> Node {
    Node { name: name.map(Name::new), chassis: chassis.map(Name::new) }
}

const ADDRESS: [u8; 4] = [192, 0, 2, 1];

fn facts(node: Node) -> Facts {
    Facts { nodes: [(ADDRESS.into(), node)].into(), ..Facts::default() }
}

fn source(kind: Kind, state: State) -> Source {
    Source { kind, state, from: name("here"), trouble: None, entries: 1, synced: None }
}

#[test]
fn the_first_source_that_has_a_name_decides() {
    let mut inventory = Inventory::default();
    inventory.tell(Kind::Kubernetes, facts(node(Some("k8s"), None)));
    assert_eq!(inventory.node_name(ADDRESS.into()), Some(&name("k8s")));
    inventory.tell(Kind::Ovs, facts(node(None, Some("c1"))));
    let (merged, kind) = inventory.node(ADDRESS.into()).unwrap();
    assert_eq!((merged, kind), (&node(Some("k8s"), Some("c1")), Kind::Kubernetes));
    inventory.tell(Kind::OvnSb, facts(node(Some("sb"), Some("c1"))));
    inventory.tell(Kind::File, facts(node(Some("file"), None)));
    assert_eq!(inventory.node(ADDRESS.into()).unwrap(), (&node(Some("file"), Some("c1")), Kind::File));
    inventory.tell(Kind::File, Facts::default());
    assert_eq!(inventory.node_name(ADDRESS.into()), Some(&name("sb")));
}

#[test]
fn a_chassis_gets_the_name_that_another_source_has_for_it() {
    let mut inventory = Inventory::default();
    inventory.tell(Kind::Ovs, facts(node(None, Some("c1"))));
    assert_eq!(inventory.node_name(ADDRESS.into()), None);
    inventory.tell(Kind::Kubernetes, Facts { chassis: [(name("c1"), name("node1"))].into(), ..Facts::default() });
    assert_eq!(inventory.node_name(ADDRESS.into()), Some(&name("node1")));
}

#[test]
fn a_pod_is_found_by_its_own_network_and_by_others_only_if_they_agree() {
    let (shared, own) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
    let pods = [((1, shared), name("a")), ((2, shared), name("b")), ((2, own), name("c"))];
    let mut inventory = Inventory::default();
    inventory.tell(Kind::OvnSb, Facts { pods: pods.into(), ..Facts::default() });
    assert_eq!(inventory.pod(1, shared), Some(&name("a")));
    assert_eq!(inventory.pod(2, shared), Some(&name("b")));
    assert_eq!(inventory.pod(3, shared), None);
    assert_eq!(inventory.pod(3, own), Some(&name("c")));
}

#[test]
fn only_a_source_that_is_there_and_knows_all_says_that_something_is_unknown() {
    let is_unknown = |inventory: &Inventory, node| inventory.judge_of_nodes().map(|_| inventory.node(node).is_none());
    let mut inventory = Inventory::default();
    let [known, stranger] = [IpAddr::from(ADDRESS), IpAddr::from([192, 0, 2, 9])];
    inventory.tell(Kind::Kubernetes, facts(node(Some("k8s"), None)));
    inventory.is(source(Kind::Kubernetes, State::Up));
    assert_eq!(is_unknown(&inventory, stranger), None);
    inventory.tell(Kind::OvnSb, Facts { has_all_nodes: true, ..Facts::default() });
    inventory.is(source(Kind::OvnSb, State::Up));
    assert_eq!((is_unknown(&inventory, known), is_unknown(&inventory, stranger)), (Some(false), Some(true)));
    assert_eq!(inventory.judge_of_networks(), None);
    inventory.is(source(Kind::OvnSb, State::Down));
    assert_eq!(is_unknown(&inventory, stranger), None);
}
