//! Lines as in `/etc/hosts`: `ADDRESS NAME [CHASSIS]`, `vni NUMBER NAME [KIND]`, `complete`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Display;

use super::{Problem, address, name, vni};
use crate::inventory::{Facts, Network, NetworkKind, Node};

pub(super) fn parse(text: &str) -> Result<Facts, Problem> {
    let (mut facts, mut is_complete) = (Facts::default(), false);
    for (line, number) in text.lines().zip(1..) {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        let result = match words[..] {
            [] => Ok(()),
            ["complete"] => {
                is_complete = true;
                Ok(())
            }
            ["vni", ref network @ ..] => add_network(&mut facts, network),
            ref node => add_node(&mut facts, node),
        };
        result.map_err(|text| Problem::new(number, text))?;
    }
    facts.has_all_nodes = is_complete && !facts.nodes.is_empty();
    facts.has_all_networks = is_complete && !facts.networks.is_empty();
    Ok(facts)
}

fn add_node(facts: &mut Facts, words: &[&str]) -> Result<(), String> {
    let (at, called, chassis) = match words {
        [at, called] => (at, called, None),
        [at, called, chassis] => (at, called, Some(name(chassis)?)),
        [first, ..] => {
            return Err(format!("{first:?} and {} more words; a line is ADDRESS NAME [CHASSIS]", words.len() - 1));
        }
        [] => return Ok(()),
    };
    insert(&mut facts.nodes, address(at)?, Node { name: Some(name(called)?), chassis })
}

fn add_network(facts: &mut Facts, words: &[&str]) -> Result<(), String> {
    let (number, called, kind) = match words {
        [number, called] => (number, called, NetworkKind::Other),
        [number, called, kind] => (number, called, kind_of(kind)?),
        _ => return Err(format!("vni and {} more words; a line is vni NUMBER NAME [KIND]", words.len())),
    };
    let number = number.parse().map_err(|_| format!("{number:?} is no VNI"))?;
    insert(&mut facts.networks, vni(number)?, Network { name: name(called)?, kind })
}

fn kind_of(text: &str) -> Result<NetworkKind, String> {
    let kinds = [NetworkKind::Switch, NetworkKind::Router, NetworkKind::Transit, NetworkKind::Other];
    let found = kinds.into_iter().find(|kind| kind.name() == text);
    found.ok_or_else(|| format!("{text:?} is no kind of network: switch, router, transit or other"))
}

pub(super) fn insert<K: Ord + Display, V>(map: &mut BTreeMap<K, V>, key: K, value: V) -> Result<(), String> {
    match map.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(value);
            Ok(())
        }
        Entry::Occupied(entry) => Err(format!("{} has two names", entry.key())),
    }
}
