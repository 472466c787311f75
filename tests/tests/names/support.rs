//! A cable with tunnel packets of VNI 100 on it, a real `ovsdb-server` beside it, and what tunmon says of its sources.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tests::frame::base_packets;
use tests::netns::{self, Namespace};
use tests::process::{self, Process};
use tests::raw::{self, How};
use tests::scratch::Scratch;
use tests::tunmon::{self, Tunmon};
use tests::{needs, wait};

/// Of a server to be there.
const PATIENCE: Duration = Duration::from_secs(20);
/// Of one network in the packets of [`Pair::send`].
pub(super) const VNI: u32 = 100;

/// Two namespaces with a cable `d0` between them, and a directory.
pub(super) struct Pair {
    pub(super) near: Namespace,
    pub(super) far: Namespace,
    pub(super) scratch: Scratch,
}

impl Pair {
    /// Makes them, or says why not.
    pub(super) fn create() -> Option<Self> {
        if let Some(reason) = tunmon::missing(&[needs::NETWORK, needs::OVS, &["ovsdb-client", "ovs-pki"]]) {
            needs::skip(&reason);
            return None;
        }
        let [near, far] = netns::cable("d0").unwrap();
        Some(Self { near, far, scratch: Scratch::create("names").unwrap() })
    }

    /// A path in the directory, as a remote.
    pub(super) fn unix(&self, name: &str) -> String {
        format!("unix:{}", self.path(name))
    }

    /// A path in the directory.
    pub(super) fn path(&self, name: &str) -> String {
        self.scratch.path().join(name).display().to_string()
    }

    /// Watches `d0` with reports every 200 ms.
    pub(super) fn watch(&self, arguments: &str) -> Tunmon {
        Tunmon::start(&self.near, "d0", &format!("--interval 200ms {arguments}")).unwrap()
    }

    /// Sends a tunnel packet to `d0`.
    pub(super) fn send(&self) {
        let frame = base_packets().into_iter().find(|(name, _)| *name == "data_plain").unwrap().1;
        raw::send(&self.far, "d0", &[frame], How::Whole).unwrap();
    }

    /// A server of a new Southbound database at `unix:sb.sock` and at these remotes besides.
    pub(super) fn southbound(&self, remotes: &[String]) -> Process {
        let database = self.path("sb.db");
        if !Path::new(&database).exists() {
            let schema = "/usr/share/ovn/ovn-sb.ovsschema";
            process::run(Command::new("ovsdb-tool").args(["create", &database, schema])).unwrap();
        }
        self.serve(&database, "sb", remotes)
    }

    /// A server of a new database of a switch at `unix:db.sock`.
    pub(super) fn switch(&self) -> Process {
        let database = self.path("conf.db");
        let schema = "/usr/share/openvswitch/vswitch.ovsschema";
        process::run(Command::new("ovsdb-tool").args(["create", &database, schema])).unwrap();
        self.serve(&database, "db", &[])
    }

    fn serve(&self, database: &str, name: &str, more: &[String]) -> Process {
        let socket = self.path(&format!("{name}.sock"));
        let _ = fs::remove_file(&socket);
        let mut command = self.near.command("ovsdb-server");
        command.env("OVS_RUNDIR", self.scratch.path()).arg(database).arg(format!("--remote=punix:{socket}")).args(more);
        command.arg(format!("--unixctl={}", self.path(&format!("{name}.ctl")))).args(["-vconsole:off", "-vsyslog:off"]);
        let server = Process::spawn(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())).unwrap();
        wait::until(&socket, PATIENCE, || Ok(Path::new(&socket).exists().then_some(()))).unwrap();
        server
    }

    /// Changes a database by a transaction.
    pub(super) fn transact(&self, socket: &str, transaction: &Value) {
        let remote = self.unix(socket);
        let answer =
            process::run(Command::new("ovsdb-client").args(["transact", &remote, &transaction.to_string()])).unwrap();
        assert!(!answer.contains("error"), "{answer}");
    }
}

/// Adds a network called `blue` with the key [`VNI`], and a node.
pub(super) fn blue() -> Value {
    serde_json::json!(["OVN_Southbound",
        {"op": "insert", "table": "Encap", "uuid-name": "e", "row": {"type": "geneve", "ip": "192.0.2.77", "chassis_name": "c2"}},
        {"op": "insert", "table": "Chassis", "row": {"name": "c2", "hostname": "node2", "encaps": ["named-uuid", "e"]}},
        {"op": "insert", "table": "Datapath_Binding",
            "row": {"tunnel_key": VNI, "external_ids": ["map", [["logical-switch", "u"], ["name", "blue"]]]}}])
}

/// Renames the network.
pub(super) fn rename(name: &str) -> Value {
    serde_json::json!(["OVN_Southbound", {"op": "update", "table": "Datapath_Binding",
        "where": [["tunnel_key", "==", VNI]], "row": {"external_ids": ["map", [["logical-switch", "u"], ["name", name]]]}}])
}

/// Waits for the `times`-th time that a source is said to be in this state; returns what is said.
pub(super) fn source(tunmon: &mut Tunmon, kind: &str, state: &str, times: usize) -> Value {
    let is_it =
        |record: &Value| record["schema"] == "tunmon.source/v1" && record["kind"] == kind && record["state"] == state;
    tunmon.wait_for_nth(&format!("that {kind} is {state}"), times, is_it).unwrap().clone()
}

/// Waits for a report in which the network of [`VNI`] has this name.
pub(super) fn named(tunmon: &mut Tunmon, name: &str) {
    let is_it = |record: &Value| {
        let vnis = record["vnis"].as_array();
        record["schema"] == "tunmon.interval/v1"
            && vnis.is_some_and(|vnis| vnis.iter().any(|vni| vni["vni"] == VNI && vni["network"] == name))
    };
    tunmon.wait_for(&format!("the name {name}"), is_it).unwrap();
}
