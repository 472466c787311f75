//! Rows of a table, reduced to the columns and keys that are of interest, and how updates change them.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::{Change, Trouble};

/// A table and what is wanted of it.
#[derive(Clone, Copy, Debug)]
pub(in crate::names) struct Schema {
    /// Its name.
    pub(in crate::names) table: &'static str,
    /// Its columns.
    pub(in crate::names) columns: &'static [Column],
    /// Rows that are kept.
    pub(in crate::names) most: usize,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub(in crate::names) struct Column(pub(in crate::names) &'static str, pub(in crate::names) Kind);

/// What a column holds; differences of sets and maps are no values.
#[derive(Clone, Copy, Debug)]
pub(in crate::names) enum Kind {
    /// A value, or none.
    Value,
    /// Several values.
    Set,
    /// Keys and values, of which these are kept.
    Map(&'static [&'static str]),
}

/// Bytes of a table that are kept, about.
const BYTES_MOST: usize = 8 << 20;
/// Bytes that a value takes besides its own.
const EACH: usize = 64;
/// Bytes of a value that are kept.
const VALUE_MOST: usize = 1024;
/// Values of a set that are kept.
const SET_MOST: usize = 1024;

/// A row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::names) struct Row {
    /// By column, and in a map by key; few, so that a list is smallest.
    values: Vec<((&'static str, &'static str), String)>,
    sets: Vec<(&'static str, BTreeSet<String>)>,
}

/// The rows of a table.
#[derive(Debug)]
pub(in crate::names) struct Rows {
    schema: Schema,
    rows: HashMap<u128, Row>,
    bytes: usize,
    /// Whether some did not fit.
    pub(in crate::names) is_full: bool,
}

impl Schema {
    /// As a monitor asks for it.
    pub(in crate::names) fn request(&self) -> (String, Value) {
        let columns: Vec<&str> = self.columns.iter().map(|column| column.0).collect();
        (self.table.to_owned(), json!([{ "columns": columns }]))
    }
}

impl Rows {
    /// None yet.
    pub(in crate::names) fn new(schema: Schema) -> Self {
        Self { schema, rows: HashMap::new(), bytes: 0, is_full: false }
    }

    /// Takes an update of a row, if it is one of this table.
    pub(in crate::names) fn take(&mut self, table: &str, uuid: u128, change: &Change) -> Result<(), Trouble> {
        if table != self.schema.table {
            return Ok(());
        }
        let before = self.rows.remove(&uuid);
        self.bytes -= before.as_ref().map_or(0, Row::bytes);
        let (mut row, columns) = match (change, before) {
            (Change::Whole(columns), _) => (Row::default(), columns),
            (Change::Part(columns), Some(row)) => (row, columns),
            (Change::Gone | Change::Part(_), _) => return Ok(()),
        };
        row.change(self.schema.columns, columns);
        if self.rows.len() >= self.schema.most || self.bytes + row.bytes() > BYTES_MOST {
            self.is_full = true;
            return Ok(());
        }
        self.bytes += row.bytes();
        self.rows.insert(uuid, row);
        Ok(())
    }

    /// All rows.
    pub(in crate::names) fn iter(&self) -> impl Iterator<Item = (u128, &Row)> {
        self.rows.iter().map(|(uuid, row)| (*uuid, row))
    }

    /// The row of a UUID, as text.
    pub(in crate::names) fn get(&self, uuid: &str) -> Option<&Row> {
        self.rows.get(&u128::from_str_radix(&uuid.replace('-', ""), 16).ok()?)
    }
}

impl Row {
    /// A value; empty if there is none.
    pub(in crate::names) fn text(&self, column: &str) -> &str {
        self.key(column, "")
    }

    /// The value of a key of a map; empty if there is none.
    pub(in crate::names) fn key(&self, column: &str, key: &str) -> &str {
        self.values.iter().find(|(at, _)| *at == (column, key)).map_or("", |(_, value)| value)
    }

    /// The values of a set.
    pub(in crate::names) fn set(&self, column: &str) -> impl Iterator<Item = &str> {
        self.sets.iter().filter(move |(at, _)| *at == column).flat_map(|(_, set)| set).map(String::as_str)
    }

    /// What it takes, about.
    fn bytes(&self) -> usize {
        let values = self.values.iter().map(|(_, value)| value);
        values.chain(self.sets.iter().flat_map(|(_, set)| set)).map(|text| text.len() + EACH).sum::<usize>() + EACH
    }

    fn put(&mut self, column: &'static str, key: &'static str, value: Option<String>) {
        self.values.retain(|(at, _)| *at != (column, key));
        self.values.extend(value.map(|value| ((column, key), value)));
    }

    /// Applies differences; those of an empty row are its values.
    fn change(&mut self, schema: &[Column], columns: &Map<String, Value>) {
        for Column(name, kind) in schema {
            let Some(value) = columns.get(*name) else { continue };
            match kind {
                Kind::Value => self.put(name, "", atoms(value).next()),
                Kind::Set => {
                    if !self.sets.iter().any(|(at, _)| at == name) {
                        self.sets.push((name, BTreeSet::new()));
                    }
                    let Some((_, set)) = self.sets.iter_mut().find(|(at, _)| at == name) else { continue };
                    for atom in atoms(value) {
                        if !set.remove(&atom) && set.len() < SET_MOST {
                            set.insert(atom);
                        }
                    }
                }
                Kind::Map(keys) => self.merge(name, keys, value),
            }
        }
    }

    /// A key with the value that it has goes; with another, it has that one.
    fn merge(&mut self, column: &'static str, wanted: &[&'static str], value: &Value) {
        for (key, value) in keys(value) {
            let Some(key) = wanted.iter().find(|wanted| **wanted == key) else { continue };
            let is_same = self.values.iter().any(|(at, before)| *at == (column, *key) && *before == value);
            self.put(column, key, (!is_same).then_some(value));
        }
    }
}

/// The values of a column that is no map, as text: `"a"`, `5`, `["uuid","…"]`, `["set",[…]]`.
pub(in crate::names) fn atoms(value: &Value) -> impl Iterator<Item = String> {
    let members = match tagged(value) {
        Some(("set", members)) => members.as_array().map(Vec::as_slice).unwrap_or_default(),
        _ => std::slice::from_ref(value),
    };
    members.iter().filter_map(atom)
}

/// The keys and values of a map: `["map",[["k","v"],…]]`.
pub(in crate::names) fn keys(value: &Value) -> impl Iterator<Item = (&str, String)> {
    let pairs = match tagged(value) {
        Some(("map", pairs)) => pairs.as_array().map(Vec::as_slice).unwrap_or_default(),
        _ => &[],
    };
    pairs.iter().filter_map(|pair| Some((pair.get(0)?.as_str()?, atom(pair.get(1)?)?)))
}

fn tagged(value: &Value) -> Option<(&str, &Value)> {
    let [tag, content] = value.as_array()?.as_slice() else { return None };
    Some((tag.as_str()?, content))
}

fn atom(value: &Value) -> Option<String> {
    let text = match (value, tagged(value)) {
        (_, Some(("uuid" | "named-uuid", uuid))) => uuid.as_str()?.to_owned(),
        (Value::String(text), _) => text.clone(),
        (Value::Number(_) | Value::Bool(_), _) => value.to_string(),
        _ => return None,
    };
    Some(if text.len() > VALUE_MOST { text[..text.floor_char_boundary(VALUE_MOST)].to_owned() } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: Schema = Schema {
        table: "T",
        columns: &[Column("name", Kind::Value), Column("mac", Kind::Set), Column("ids", Kind::Map(&["a", "b"]))],
        most: 2,
    };

    fn columns(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn rows(changes: &[(u128, Change)]) -> Rows {
        let mut rows = Rows::new(SCHEMA);
        changes.iter().for_each(|(uuid, change)| rows.take("T", *uuid, change).unwrap());
        rows
    }

    #[test]
    fn a_difference_toggles_sets_merges_maps_and_replaces_values() {
        let whole =
            json!({"name": "x", "mac": ["set", ["1", "2"]], "ids": ["map", [["a", "1"], ["b", "2"], ["c", "3"]]]});
        let part =
            json!({"name": "y", "mac": ["set", ["2", "3"]], "ids": ["map", [["a", "1"], ["b", "7"], ["c", "4"]]]});
        let rows = rows(&[(1, Change::Whole(columns(whole))), (1, Change::Part(columns(part)))]);
        let (_, row) = rows.iter().next().unwrap();
        assert_eq!(row.text("name"), "y");
        assert_eq!(row.set("mac").collect::<Vec<_>>(), ["1", "3"]);
        assert_eq!((row.key("ids", "a"), row.key("ids", "b"), row.key("ids", "c")), ("", "7", ""));
    }

    #[test]
    fn an_optional_value_comes_bare_and_goes_as_an_empty_set() {
        let name = |value| Change::Whole(columns(json!({ "name": value })));
        let value = |value: Value| rows(&[(1, name(value))]).iter().next().unwrap().1.text("name").to_owned();
        assert_eq!(value(json!("up")), "up");
        assert_eq!(value(json!(5)), "5");
        assert_eq!(value(json!(["set", []])), "");
        assert_eq!(
            value(json!(["uuid", "bfa5f752-dd84-4d7e-ab11-b7e4877453f2"])),
            "bfa5f752-dd84-4d7e-ab11-b7e4877453f2"
        );
        let gone = Change::Part(columns(json!({"name": ["set", []]})));
        assert_eq!(rows(&[(1, name(json!("up"))), (1, gone)]).iter().next().unwrap().1.text("name"), "");
    }

    #[test]
    fn rows_are_bounded_and_go_when_they_are_gone() {
        let whole = || Change::Whole(Map::new());
        let many = rows(&[(1, whole()), (2, whole()), (3, whole()), (1, Change::Gone)]);
        assert!(many.is_full);
        assert_eq!(many.iter().map(|(uuid, _)| uuid).collect::<Vec<_>>(), [2]);
        assert!(!rows(&[(1, whole()), (2, whole()), (2, whole())]).is_full);
    }
}
