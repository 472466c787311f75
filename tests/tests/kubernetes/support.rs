//! A node that tunmon watches, to which a peer has sent, and the cluster that knows the peer.
//!
//! ```text
//!   near: API server at 127.0.0.1, tunmon; d0 ──── d0: far, sends as 172.31.7.1
//! ```

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde_json::{Value, json};
use tests::bench::packets::{NODE as PEER, tunnel_udp};
use tests::netns::{self, Namespace};
use tests::raw::{self, How};
use tests::scratch::Scratch;
use tests::tunmon::Tunmon;
use tests::{needs, tunmon};

use super::server::{Server, TOKEN};

pub(super) struct Cluster {
    pub(super) near: Namespace,
    pub(super) server: Server,
    far: Namespace,
    scratch: Scratch,
}

impl Cluster {
    /// `None` after having said why it cannot be.
    pub(super) fn create() -> Option<Self> {
        if let Some(reason) = tunmon::missing(&[needs::NETWORK]) {
            needs::skip(&reason);
            return None;
        }
        let [near, far] = netns::cable("d0").unwrap();
        let (server, scratch) = (Server::start(&near), Scratch::create("kube").unwrap());
        Some(Self { near, far, server, scratch })
    }

    /// Writes a kubeconfig whose user has this.
    pub(super) fn kubeconfig(&self, user: &Value) -> PathBuf {
        let path = self.scratch.path().join("kubeconfig");
        let cluster = json!({"name": "c", "cluster": {"server": format!("http://{}", self.server.address)}});
        let context = json!({"name": "x", "context": {"cluster": "c", "user": "u"}});
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "x", "clusters": [cluster],
            "contexts": [context], "users": [{"name": "u", "user": user}]});
        fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// Starts tunmon, which asks the server, and sends it tunnel packets of the peer.
    pub(super) fn watch(&self) -> Tunmon {
        let path = self.kubeconfig(&json!({"token": TOKEN}));
        let arguments = format!("--interval 200ms --kubernetes {}", path.display());
        let tunmon = Tunmon::start(&self.near, "d0", &arguments).unwrap();
        raw::send(&self.far, "d0", &[tunnel_udp(), tunnel_udp()], How::Whole).unwrap();
        tunmon
    }
}

/// A node of the cluster at the peer's address.
pub(super) fn node(name: &str) -> Value {
    at(name, Ipv4Addr::from(PEER))
}

/// A node at an address.
pub(super) fn at(name: &str, address: Ipv4Addr) -> Value {
    let addresses = [("Hostname", name.to_owned()), ("InternalIP", address.to_string())];
    let addresses = addresses.map(|(kind, address)| json!({"type": kind, "address": address}));
    json!({"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "labels": {"a": "b"}, "managedFields": [{}]},
        "spec": {}, "status": {"addresses": addresses, "images": [{"names": ["x"], "sizeBytes": 5}]}})
}

/// The names that the peer has had in the intervals, in order, each change once.
pub(super) fn seen(record: &Value) -> Option<Option<&str>> {
    let peers = (record["schema"] == "tunmon.interval/v1").then(|| record["peers"].as_array())??;
    let row = peers.iter().find(|row| row["peer"] == Ipv4Addr::from(PEER).to_string())?;
    Some(row["node"].as_str())
}

/// Waits for an interval in which the peer has this name.
pub(super) fn wait_for(tunmon: &mut Tunmon, name: &str) {
    tunmon.wait_for(name, |record| seen(record) == Some(Some(name))).unwrap();
}

/// Waits for so many intervals from the start.
pub(super) fn intervals(tunmon: &mut Tunmon, number: usize) {
    let is_it = |record: &Value| record["schema"] == "tunmon.interval/v1";
    tunmon.wait_for_nth("intervals", number, is_it).unwrap();
}
