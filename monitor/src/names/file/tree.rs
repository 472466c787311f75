//! YAML and JSON: one tree, in which nodes and networks are lists, or maps by address and VNI.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::hosts::insert;
use super::scalar::{Address, Text, Vni};
use super::{MOST, Problem};
use crate::inventory::{Facts, Network, NetworkKind, Node};

pub(super) fn json(text: &str) -> Result<Facts, Problem> {
    let tree: Result<Tree, _> = serde_json::from_str(text);
    tree.map(Tree::facts).map_err(|error| {
        let (line, text) = (error.line() as u64, error.to_string());
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
        Problem::new((line != 0).then_some(line), text)
    })
}

pub(super) fn yaml(text: &str) -> Result<Facts, Problem> {
    // As many nodes and networks as may be, each a map of three.
    let budget = serde_saphyr::budget! {
        max_events: 20 * MOST,
        max_nodes: 16 * MOST,
        max_depth: 8,
        flow_nesting_limit: 8,
        max_documents: 1,
        max_aliases: 100,
        max_anchors: 100,
        max_recorded_anchor_events: 10_000,
    };
    let options = serde_saphyr::options! { budget: budget, with_snippet: false };
    let tree: Result<Tree, _> = serde_saphyr::from_str_with_options(text, options);
    tree.map(Tree::facts).map_err(|error| {
        let line = error.location().map(|location| location.line());
        let text = error.without_snippet().to_string();
        let text = text.lines().next().unwrap_or_default();
        Problem::new(line, text.rsplit_once(" at line ").map_or(text, |(text, _)| text))
    })
}

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tree {
    #[serde(default)]
    complete: bool,
    nodes: Option<Table<Address, NodeEntry, NodeValue>>,
    networks: Option<Table<Vni, NetworkEntry, NetworkValue>>,
}

impl Tree {
    fn facts(self) -> Facts {
        let has_all_nodes = self.complete && self.nodes.is_some();
        let has_all_networks = self.complete && self.networks.is_some();
        let nodes = self.nodes.into_iter().flat_map(|table| table.rows);
        let nodes = nodes.map(|(address, value)| {
            (address.0, Node { name: Some(value.name.0), chassis: value.chassis.map(|chassis| chassis.0) })
        });
        let networks = self.networks.into_iter().flat_map(|table| table.rows);
        let networks = networks.map(|(vni, value)| (vni.0, Network { name: value.name.0, kind: value.kind }));
        let (nodes, networks) = (nodes.collect(), networks.collect());
        Facts { nodes, networks, has_all_nodes, has_all_networks, ..Facts::default() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeEntry {
    address: Address,
    name: Text,
    chassis: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeValue {
    name: Text,
    chassis: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkEntry {
    vni: Vni,
    name: Text,
    #[serde(default = "other")]
    kind: NetworkKind,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkValue {
    name: Text,
    #[serde(default = "other")]
    kind: NetworkKind,
}

fn other() -> NetworkKind {
    NetworkKind::Other
}

impl From<NodeEntry> for (Address, NodeValue) {
    fn from(NodeEntry { address, name, chassis }: NodeEntry) -> Self {
        (address, NodeValue { name, chassis })
    }
}

impl From<NetworkEntry> for (Vni, NetworkValue) {
    fn from(NetworkEntry { vni, name, kind }: NetworkEntry) -> Self {
        (vni, NetworkValue { name, kind })
    }
}

impl From<Text> for NodeValue {
    fn from(name: Text) -> Self {
        Self { name, chassis: None }
    }
}

impl From<Text> for NetworkValue {
    fn from(name: Text) -> Self {
        Self { name, kind: NetworkKind::Other }
    }
}

/// Rows by their key: a list of entries, or a map to a name or a map of its own.
struct Table<K, E, V> {
    rows: BTreeMap<K, V>,
    _entries: PhantomData<E>,
}

impl<'de, K, E, V> Deserialize<'de> for Table<K, E, V>
where
    K: Deserialize<'de> + Ord + fmt::Display,
    E: Deserialize<'de> + Into<(K, V)>,
    V: Deserialize<'de> + From<Text>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Rows(PhantomData))
    }
}

struct Rows<K, E, V>(PhantomData<(K, E, V)>);

impl<'de, K, E, V> Visitor<'de> for Rows<K, E, V>
where
    K: Deserialize<'de> + Ord + fmt::Display,
    E: Deserialize<'de> + Into<(K, V)>,
    V: Deserialize<'de> + From<Text>,
{
    type Value = Table<K, E, V>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list or a map")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut rows = BTreeMap::new();
        while list.next_element_seed(Entry(&mut rows, PhantomData::<E>))?.is_some() {}
        Ok(Table { rows, _entries: PhantomData })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut rows = BTreeMap::new();
        while let Some(key) = map.next_key()? {
            map.next_value_seed(NameOrMap(&mut rows, key))?;
        }
        Ok(Table { rows, _entries: PhantomData })
    }
}

/// An entry of a list, put among the rows while it is read: then what is wrong with it is told with its line.
struct Entry<'a, K, E, V>(&'a mut BTreeMap<K, V>, PhantomData<E>);

impl<'de, K: Ord + fmt::Display, E: Deserialize<'de> + Into<(K, V)>, V> DeserializeSeed<'de> for Entry<'_, K, E, V> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, K: Ord + fmt::Display, E: Deserialize<'de> + Into<(K, V)>, V> Visitor<'de> for Entry<'_, K, E, V> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let (key, value) = E::deserialize(MapAccessDeserializer::new(map))?.into();
        add(self.0, key, value)
    }
}

/// The value of a key, in the same way: a name, or a map with one.
struct NameOrMap<'a, K, V>(&'a mut BTreeMap<K, V>, K);

impl<'de, K: Ord + fmt::Display, V: Deserialize<'de> + From<Text>> DeserializeSeed<'de> for NameOrMap<'_, K, V> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, K: Ord + fmt::Display, V: Deserialize<'de> + From<Text>> Visitor<'de> for NameOrMap<'_, K, V> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name (a number in quotes) or a map with one")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let name = super::name(text).map_err(E::custom)?;
        add(self.0, self.1, Text(name).into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let value = V::deserialize(MapAccessDeserializer::new(map))?;
        add(self.0, self.1, value)
    }
}

fn add<K: Ord + fmt::Display, V, E: Error>(rows: &mut BTreeMap<K, V>, key: K, value: V) -> Result<(), E> {
    if rows.len() > MOST {
        return Err(E::custom(format_args!("there are more than {MOST} of them")));
    }
    insert(rows, key, value).map_err(E::custom)
}
