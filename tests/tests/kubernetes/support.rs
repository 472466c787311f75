//! A node that tunmon watches, to which a peer has sent, and the cluster that knows the peer.
//!
//! ```text
//!   near: API server at 127.0.0.1, tunmon; d0 ──── d0: far, sends as 172.31.7.1
//! ```

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use serde_json::{Value, json};
use tests::bench::packets::{NODE as PEER, tunnel_udp};
use tests::netns::{self, Namespace};
use tests::raw::{self, How};
use tests::scratch::Scratch;
use tests::tunmon::Tunmon;
use tests::{certificates, needs, tunmon};

use super::server::{Server, TOKEN};
use super::tls;

pub(super) struct Cluster {
    pub(super) near: Namespace,
    pub(super) server: Server,
    far: Namespace,
    scratch: Scratch,
}

impl Cluster {
    /// `None` after having said why it cannot be.
    pub(super) fn create() -> Option<Self> {
        Self::with(&[needs::NETWORK], |_| None)
    }

    /// With a server that speaks TLS, and shows the certificate of this name.
    pub(super) fn secure(name: &str) -> Option<Self> {
        Self::with(&[needs::NETWORK, &["openssl"]], |folder| {
            certificates::make(folder).unwrap();
            Some(tls::server(folder, name))
        })
    }

    fn with(programs: &[&[&str]], tls: impl FnOnce(&Path) -> Option<Arc<ServerConfig>>) -> Option<Self> {
        if let Some(reason) = tunmon::missing(programs) {
            needs::skip(&reason);
            return None;
        }
        let [near, far] = netns::cable("d0").unwrap();
        let scratch = Scratch::create("kube").unwrap();
        let server = Server::start(&near, tls(scratch.path()));
        Some(Self { near, far, server, scratch })
    }

    /// Its files, certificates among them if it has any.
    pub(super) fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// Writes a kubeconfig whose user has this.
    pub(super) fn kubeconfig(&self, user: &Value) -> PathBuf {
        self.kubeconfig_of(&json!({"server": format!("http://{}", self.server.address)}), user)
    }

    /// The same for a cluster of which more is known.
    pub(super) fn kubeconfig_of(&self, cluster: &Value, user: &Value) -> PathBuf {
        let path = self.scratch.path().join("kubeconfig");
        let cluster = json!({"name": "c", "cluster": cluster});
        let context = json!({"name": "x", "context": {"cluster": "c", "user": "u"}});
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "x", "clusters": [cluster],
            "contexts": [context], "users": [{"name": "u", "user": user}]});
        fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// Starts tunmon, which asks the server, and sends it tunnel packets of the peer.
    pub(super) fn watch(&self) -> Tunmon {
        let path = self.kubeconfig(&json!({"token": TOKEN}));
        self.watch_by("", &format!("--kubernetes {}", path.display()))
    }

    /// The same by another program, the words of `wrapper`, and with these arguments.
    pub(super) fn watch_by(&self, wrapper: &str, arguments: &str) -> Tunmon {
        let tunmon = Tunmon::start_by(&self.near, wrapper, "d0", &format!("--interval 200ms {arguments}")).unwrap();
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
