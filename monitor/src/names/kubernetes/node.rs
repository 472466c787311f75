//! A node as the API server tells it, of which only names and addresses are kept: the rest is a hundred times as much.

use std::borrow::Cow;
use std::net::IpAddr;

use k8s_openapi::ClusterResourceScope;
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;
use serde_json::Value;

use crate::inventory::Name;

/// A node.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Told")]
pub(super) struct Node {
    metadata: ObjectMeta,
    pub(super) name: Name,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) chassis: Option<Name>,
}

/// Addresses of a node that are kept.
const MOST: usize = 16;

#[derive(Deserialize)]
struct Told {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

/// A name and a version are what even the least node has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    resource_version: String,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Default, Deserialize)]
struct Annotations {
    /// Kube-OVN.
    #[serde(rename = "ovn.kubernetes.io/chassis")]
    chassis: Option<String>,
    /// OVN-Kubernetes.
    #[serde(rename = "k8s.ovn.org/node-chassis-id")]
    chassis_id: Option<String>,
    #[serde(rename = "k8s.ovn.org/node-primary-ifaddr")]
    primary: Option<String>,
    #[serde(rename = "k8s.ovn.org/node-encap-ips")]
    encap_ips: Option<String>,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    addresses: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

impl From<Told> for Node {
    fn from(told: Told) -> Self {
        let Metadata { name, resource_version, annotations } = told.metadata;
        let internal = told.status.addresses.into_iter().filter(|address| address.kind == "InternalIP");
        let annotated =
            [annotations.encap_ips, annotations.primary].into_iter().flatten().flat_map(|text| texts(&text));
        let texts = annotated.chain(internal.map(|address| address.address));
        let mut addresses: Vec<IpAddr> = texts.filter_map(|text| address(&text)).take(MOST).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let chassis = annotations.chassis.or(annotations.chassis_id);
        Self {
            name: Name::new(&name),
            addresses,
            chassis: chassis.as_deref().and_then(Name::some),
            metadata: ObjectMeta {
                name: Some(name),
                resource_version: Some(resource_version),
                ..ObjectMeta::default()
            },
        }
    }
}

/// The texts in `["192.0.2.1"]`, or the values of `{"ipv4": "192.0.2.1/24"}`.
fn texts(json: &str) -> Vec<String> {
    let values: Vec<Value> = match serde_json::from_str(json) {
        Ok(Value::Array(values)) => values,
        Ok(Value::Object(map)) => map.into_iter().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    };
    values.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

/// An address, with or without the length of its prefix.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.split_once('/').map_or(text, |(address, _)| address);
    Some(text.parse::<IpAddr>().ok()?.to_canonical())
}

impl Resource for Node {
    type DynamicType = ();
    type Scope = ClusterResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        v1::Node::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        v1::Node::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        v1::Node::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        v1::Node::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(json: &Value) -> Node {
        serde_json::from_value(json.clone()).unwrap()
    }

    #[test]
    fn addresses_and_chassis_come_from_status_and_annotations() {
        let node = node(&serde_json::json!({
            "metadata": {"name": "node1", "resourceVersion": "5", "labels": {"a": "b"}, "annotations": {
                "k8s.ovn.org/node-chassis-id": "c1", "other": "x",
                "k8s.ovn.org/node-primary-ifaddr": "{\"ipv4\":\"192.0.2.1/24\",\"ipv6\":\"2001:db8::1/64\"}",
                "k8s.ovn.org/node-encap-ips": "[\"198.51.100.1\"]"}},
            "spec": {"podCIDR": "10.0.0.0/24"},
            "status": {"images": [{"names": ["x"]}], "addresses": [
                {"type": "InternalIP", "address": "192.0.2.1"}, {"type": "Hostname", "address": "node1"},
                {"type": "ExternalIP", "address": "203.0.113.1"}]}}));
        let addresses: Vec<_> = node.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["192.0.2.1", "198.51.100.1", "2001:db8::1"]);
        assert_eq!((node.name, node.chassis), (Name::new("node1"), Name::some("c1")));
    }

    #[test]
    fn what_is_no_json_or_address_gives_nothing() {
        for annotation in ["", "x", "7", "[7, \"x\"]", "{\"ipv4\": 7}", "[[[["] {
            let metadata = serde_json::json!({"name": "n", "resourceVersion": "1",
                "annotations": {"k8s.ovn.org/node-encap-ips": annotation, "ovn.kubernetes.io/chassis": ""}});
            let node = node(&serde_json::json!({"metadata": metadata}));
            assert_eq!((node.addresses.len(), node.chassis), (0, None), "{annotation}");
        }
    }
}
