//! The nodes of a cluster by their names.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::node::Node;
use crate::inventory::{self, Facts, Name};

/// Nodes that are kept: thrice as many as Kubernetes promises to carry.
const MOST: usize = 16_384;

#[derive(Default)]
pub(super) struct Table(BTreeMap<Name, (Vec<IpAddr>, Option<Name>)>);

impl Table {
    /// Takes a node as it is now.
    pub(super) fn apply(&mut self, node: Node) -> Result<(), &'static str> {
        if self.0.len() >= MOST && !self.0.contains_key(&node.name) {
            return Err("there are more than 16384 nodes");
        }
        self.0.insert(node.name, (node.addresses, node.chassis));
        Ok(())
    }

    pub(super) fn delete(&mut self, node: &Node) {
        self.0.remove(&node.name);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All that is known of them.
    pub(super) fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        for (name, (addresses, chassis)) in &self.0 {
            for address in addresses {
                let node = inventory::Node { name: Some(name.clone()), chassis: chassis.clone() };
                facts.nodes.entry(*address).or_insert(node);
            }
            if let Some(chassis) = chassis {
                facts.chassis.insert(chassis.clone(), name.clone());
            }
        }
        facts
    }
}
