use super::*;

use std::net::IpAddr;

use crate::inventory::{Network, NetworkKind, Node};

/// Two nodes and two networks.
const FORMS: [&str; 6] = [
    "# lab\ncomplete: true\nnodes:\n- {address: 192.0.2.1, name: node1, chassis: c1}\n- address: 2001:db8::2\n  name: node2\n\
     networks:\n- {vni: 1000, name: ls0, kind: switch}\n- {vni: 7, name: lr0}\n",
    "---\nnodes:\n  192.0.2.1: {name: node1, chassis: c1}\n  \"2001:db8::2\": node2\n\
     networks: {1000: {name: ls0, kind: switch}, 7: lr0}\ncomplete: true\n",
    r#"{"complete": true, "nodes": [{"address": "192.0.2.1", "name": "node1", "chassis": "c1"},
        {"address": "2001:db8::2", "name": "node2"}],
        "networks": [{"vni": 1000, "name": "ls0", "kind": "switch"}, {"vni": 7, "name": "lr0"}]}"#,
    "{\n\t\"nodes\": {\"::ffff:192.0.2.1\": {\"name\": \"node1\", \"chassis\": \"c1\"}, \"2001:db8::2\": \"node2\"},\n\
     \t\"networks\": {\"1000\": {\"name\": \"ls0\", \"kind\": \"switch\"}, \"7\": \"lr0\"}, \"complete\": true}",
    "# lab\n\n192.0.2.1 node1 c1 # the first\r\n2001:db8::2\tnode2\nvni 1000 ls0 switch\nvni 7 lr0\ncomplete\n",
    "\u{feff}complete\nvni 7 lr0 other\nvni 1000 ls0 switch\n2001:db8::2 node2\n192.0.2.1 node1 c1",
];

fn said(text: &str) -> Result<Facts, Problem> {
    parse(text.trim_start_matches('\u{feff}'))
}

#[test]
fn all_forms_say_the_same() {
    let node = |name: &str, chassis: Option<&str>| Node { name: Name::some(name), chassis: chassis.map(Name::new) };
    let network = |name: &str, kind| Network { name: Name::new(name), kind };
    let [first, second]: [IpAddr; 2] = ["192.0.2.1", "2001:db8::2"].map(|address| address.parse().unwrap());
    let facts = Facts {
        nodes: [(first, node("node1", Some("c1"))), (second, node("node2", None))].into(),
        networks: [(1000, network("ls0", NetworkKind::Switch)), (7, network("lr0", NetworkKind::Other))].into(),
        has_all_nodes: true,
        has_all_networks: true,
        ..Facts::default()
    };
    for form in FORMS {
        assert_eq!(said(form), Ok(facts.clone()), "{form}");
    }
}

#[test]
fn a_file_is_complete_only_in_what_it_has() {
    for (text, expected) in [
        ("complete: true\nnodes: {192.0.2.1: a}", (true, false)),
        ("complete: true\nnodes: []\nnetworks: {}", (true, true)),
        ("nodes: {192.0.2.1: a}\nnetworks: {1: b}", (false, false)),
        ("complete\nvni 5 five", (false, true)),
        ("192.0.2.1 a\nvni 5 five", (false, false)),
    ] {
        let facts = said(text).unwrap();
        assert_eq!((facts.has_all_nodes, facts.has_all_networks), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, line, cause) in [
        ("", None, "nothing"),
        ("# only\n\n", None, "nothing"),
        ("192.0.2.1 a\n192.0.2.300 b\n", Some(2), "\"192.0.2.300\" is no IP address"),
        ("192.0.2.300 b\n", Some(1), "is no IP address"),
        ("192.0.2.1 a\n\n192.0.2.1 b\n", Some(3), "192.0.2.1 has two names"),
        ("192.0.2.1\n", Some(1), "ADDRESS NAME"),
        ("192.0.2.1 a b c\n", Some(1), "ADDRESS NAME"),
        ("ff02::1 a\n", Some(1), "no address of a node"),
        ("0.0.0.0 a\n", Some(1), "no address of a node"),
        ("vni 16777216 a\n", Some(1), "16777216 is no VNI"),
        ("vni x a\n", Some(1), "\"x\" is no VNI"),
        ("vni 1 a bridge\n", Some(1), "no kind of network"),
        ("nodes:\n  192.0.2.1: a\nnames: {}\n", Some(3), "names"),
        ("nodes:\n- {address: 192.0.2.1, name: a}\n- {address: 192.0.2.1, name: b}\n", Some(3), "has two names"),
        ("nodes:\n  192.0.2.1: a\n  192.0.2.1: b\n", Some(3), "192.0.2.1"),
        ("nodes:\n  192.0.2.1: a\n  ::ffff:192.0.2.1: b\n", Some(3), "192.0.2.1"),
        ("nodes:\n  192.0.2.300: a\n", Some(2), "is no IP address"),
        ("nodes:\n- {address: 192.0.2.1, name: a, vni: 5}\n", Some(2), "vni"),
        ("nodes:\n- {address: 192.0.2.1}\n", Some(2), "name"),
        ("nodes:\n- {address: 192.0.2.1, name: ''}\n", Some(2), "empty"),
        ("networks:\n  1: a\n  16777216: b\n", Some(3), "16777216 is no VNI"),
        ("networks:\n- {vni: -1, name: a}\n", Some(2), "-1 is no VNI"),
        ("networks:\n  1: {name: a, kind: bridge}\n", Some(2), "bridge"),
        ("complete: 7\n", Some(1), "boolean"),
        ("nodes: 7\n", Some(1), "a list or a map"),
        ("nodes:\n\t192.0.2.1: a\n", Some(2), ""),
        ("nodes: {192.0.2.1: a\n", None, ""),
        ("{\"nodes\": {\"192.0.2.1\": \"a\",\n\"192.0.2.1\": \"b\"}}", Some(2), "has two names"),
        ("{\n\"nodes\": {},\n\"nodes\": {}}", Some(3), "duplicate"),
        ("{\n\"nodes\": ", Some(2), "EOF"),
        ("{\"complete\": true} x", Some(1), "trailing"),
        ("{\"networks\": {\"x\": \"a\"}}", Some(1), "\"x\" is no VNI"),
    ] {
        let problem = said(text).expect_err(text);
        assert!(problem.text.contains(cause), "{text:?} gave {problem}");
        assert!(line.is_none() || problem.line == line, "{text:?} gave {problem}");
    }
}

#[test]
fn numbers_are_no_names_unless_they_are_quoted() {
    assert!(said("nodes: {192.0.2.1: 7}").unwrap_err().text.contains("a name"));
    let facts = said("nodes: {192.0.2.1: '7'}").unwrap();
    assert_eq!(facts.nodes.values().next().unwrap().name, Name::some("7"));
}

#[test]
fn bombs_and_depth_are_refused_quickly() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (now, before) in ["b", "c", "d", "e", "f", "g", "h", "i"].iter().zip(["a", "b", "c", "d", "e", "f", "g", "h"]) {
        bomb +=
            &format!("{now}: &{now} [*{before}, *{before}, *{before}, *{before}, *{before}, *{before}, *{before}]\n");
    }
    let nested = format!("nodes: {}", "[".repeat(100_000));
    let nested_json = "[".repeat(100_000);
    let maps = format!("nodes: {}", "{a: ".repeat(100_000));
    let documents = "---\nnodes: {}\n".repeat(1000);
    let began = std::time::Instant::now();
    for text in [bomb, nested, nested_json, maps, documents, "nodes: &a [*a]".to_owned()] {
        let problem = said(&text).expect_err(&text[..12]);
        assert!(!problem.text.contains('\n') && problem.text.len() <= 128, "{problem}");
    }
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn names_are_harmless_and_so_is_what_is_told_of_a_file() {
    let facts = said("192.0.2.1 a\u{1b}[2Jb\n").unwrap();
    assert_eq!(facts.nodes.values().next().unwrap().name, Name::some("a\u{fffd}[2Jb"));
    for text in ["\u{1b}[2J b\n", "\"\\e[2J\": b\n", "{\"\\u001b\": 1}"] {
        let problem = said(text).unwrap_err().to_string();
        assert!(!problem.contains('\u{1b}'), "{problem:?}");
    }
}

#[test]
fn as_many_nodes_as_may_be_are_read_and_more_are_refused() {
    let addresses = |count| (0..count as u32).map(|number| IpAddr::from((0x0a00_0000 + number).to_be_bytes()));
    for (count, is_good) in [(MOST, true), (MOST + 1, false)] {
        let lines: String = addresses(count).map(|address| format!("{address} n\n")).collect();
        assert_eq!(said(&lines).is_ok(), is_good);
    }
    let row = |address: IpAddr| format!("- {{address: {address}, name: n, chassis: c}}\n");
    let yaml = said(&format!("nodes:\n{}", addresses(MOST).map(row).collect::<String>()));
    assert_eq!(yaml.map(|facts| facts.nodes.len()), Ok(MOST));
}
