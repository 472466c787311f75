//! The database of this node's switch: who this node is, its tunnels, and where OVN's Southbound database is.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;

use super::Hub;
use super::ovsdb::{
    Change, Column, Kind, METHODS, Paths, Remote, Request, Row, Rows, Schema, Subject, Target, Trouble, follow,
};
use crate::inventory::{self, Facts, Name, Node, Switch, Tunnel};

/// Where its socket usually is.
const SOCKETS: [&str; 2] = ["/run/openvswitch/db.sock", "/var/run/openvswitch/db.sock"];
/// Between two looks for a socket that is not there.
const RARE: Duration = Duration::from_secs(10);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Who the node is and where OVN is.
const ROOT: Schema = Schema {
    table: "Open_vSwitch",
    columns: &[
        Column(
            "external_ids",
            Kind::Map(&["system-id", "hostname", "ovn-encap-ip", "ovn-encap-type", "ovn-encap-csum", "ovn-remote"]),
        ),
        Column("ssl", Kind::Value),
    ],
    most: 1,
};
const SSL: Schema = Schema {
    table: "SSL",
    columns: &[Column("private_key", Kind::Value), Column("certificate", Kind::Value), Column("ca_cert", Kind::Value)],
    most: 4,
};
/// A node has as many interfaces as pods, and as many again as there are nodes.
const INTERFACE: Schema = Schema {
    table: "Interface",
    columns: &[
        Column("name", Kind::Value),
        Column("type", Kind::Value),
        Column("options", Kind::Map(&["remote_ip", "csum"])),
        Column("external_ids", Kind::Map(&["ovn-chassis-id"])),
        Column("link_state", Kind::Value),
        Column("bfd_status", Kind::Map(&["state"])),
    ],
    most: 8192,
};

/// Where the database is.
pub(super) enum Place {
    /// Where it usually is, if it is there.
    Usual,
    /// Where the operator says.
    Remotes(Vec<Remote>),
}

impl Place {
    /// Where it is now, if it is anywhere. A socket that may not be looked at is there.
    pub(super) fn target(&self) -> Option<Target> {
        let remotes = match self {
            Self::Remotes(remotes) => remotes.clone(),
            Self::Usual => {
                let is_there = |path: &&&str| Path::new(path).try_exists().unwrap_or(true);
                vec![Remote::Unix(SOCKETS.iter().find(is_there)?.into())]
            }
        };
        Some(Target { remotes, paths: Paths::default() })
    }
}

/// What the switch says of OVN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ovn {
    /// The remotes of the Southbound database.
    pub(super) remote: String,
    /// Files of TLS.
    pub(super) paths: Paths,
}

/// Follows the database; OVS may be started later. What it says of OVN goes to `ovn`.
pub(super) async fn run(hub: Hub, place: Place, paths: Paths, ovn: watch::Sender<Option<Ovn>>) {
    loop {
        if let Some(target) = place.target() {
            let mut subject = Switches { ovn: Some(ovn), ..Switches::default() };
            let target = Target { paths, ..target };
            match follow(hub, inventory::Kind::Ovs, &mut subject, &target).await {}
        }
        tokio::time::sleep(RARE).await;
    }
}

/// Rows of the database.
pub(super) struct Switches {
    root: Rows,
    ssl: Rows,
    interfaces: Rows,
    ovn: Option<watch::Sender<Option<Ovn>>>,
}

impl Default for Switches {
    fn default() -> Self {
        Self { root: Rows::new(ROOT), ssl: Rows::new(SSL), interfaces: Rows::new(INTERFACE), ovn: None }
    }
}

impl Subject for Switches {
    fn database(&self) -> &'static str {
        "Open_vSwitch"
    }

    fn requests(&self) -> Vec<Request> {
        let tables = [ROOT, SSL, INTERFACE].iter().map(Schema::request).collect();
        vec![Request { tables, methods: METHODS, patience: PATIENCE }]
    }

    fn clear(&mut self) {
        *self = Self { ovn: self.ovn.take(), ..Self::default() };
    }

    fn take(&mut self, table: &str, uuid: u128, change: &Change) -> Result<(), Trouble> {
        [&mut self.root, &mut self.ssl, &mut self.interfaces]
            .into_iter()
            .try_for_each(|rows| rows.take(table, uuid, change))
    }

    fn facts(&self) -> (Facts, Option<String>) {
        if let Some(ovn) = &self.ovn {
            let now = self.ovn();
            ovn.send_if_modified(|before| {
                before.as_ref() != Some(&now) && {
                    *before = Some(now);
                    true
                }
            });
        }
        let mut facts = Facts { switch: self.switch(), ..Facts::default() };
        facts.has_all_nodes = self.tunnels(&mut facts) && !self.interfaces.is_full;
        if let Some(switch) = &facts.switch {
            let own = Node { name: switch.hostname.clone(), chassis: switch.system_id.clone() };
            facts.nodes.extend(switch.encap_ips.iter().map(|address| (*address, own.clone())));
            facts.has_all_nodes &= switch.system_id.is_some() && switch.remote.is_some();
        }
        let missing = self
            .interfaces
            .is_full
            .then(|| format!("more than {} interfaces: some tunnels are missing", INTERFACE.most));
        (facts, missing)
    }

    fn lessen(&mut self, _trouble: &Trouble) -> bool {
        false
    }
}

impl Switches {
    /// What the switch says of itself.
    pub(super) fn switch(&self) -> Option<Switch> {
        let (_, row) = self.root.iter().next()?;
        let value = |key| row.key("external_ids", key);
        Some(Switch {
            system_id: Name::some(value("system-id")),
            hostname: Name::some(value("hostname")),
            encap_ips: value("ovn-encap-ip").split(',').filter_map(|text| text.trim().parse().ok()).collect(),
            encap_type: Name::some(value("ovn-encap-type")),
            csum: truth(value("ovn-encap-csum")),
            remote: Name::some(value("ovn-remote")),
        })
    }

    fn ovn(&self) -> Ovn {
        let Some((_, row)) = self.root.iter().next() else { return Ovn::default() };
        let file = |row: &Row, column: &str| Some(PathBuf::from(row.text(column))).filter(|path| path.is_absolute());
        let paths = self.ssl.get(row.text("ssl")).map(|ssl| Paths {
            authority: file(ssl, "ca_cert"),
            own: file(ssl, "certificate").zip(file(ssl, "private_key")),
        });
        Ovn { remote: row.key("external_ids", "ovn-remote").to_owned(), paths: paths.unwrap_or_default() }
    }

    /// Adds the tunnels and the nodes at their ends. Returns whether each tunnel has a known one.
    fn tunnels(&self, facts: &mut Facts) -> bool {
        let mut rows: Vec<&Row> =
            self.interfaces.iter().map(|(_, row)| row).filter(|row| row.text("type") == "geneve").collect();
        rows.sort_unstable_by_key(|row| row.text("name"));
        let mut is_all = !rows.is_empty();
        for row in rows {
            let remote = row.key("options", "remote_ip");
            // A tunnel to whoever a flow names (`flow`).
            let Ok(address) = remote.parse::<IpAddr>() else {
                is_all = false;
                continue;
            };
            let chassis = chassis(row.key("external_ids", "ovn-chassis-id"), remote);
            let node = facts.nodes.entry(address).or_default();
            node.chassis = node.chassis.take().or(chassis);
            facts.tunnels.entry(address).or_insert_with(|| Tunnel {
                interface: Name::new(row.text("name")),
                is_up: match row.text("link_state") {
                    "up" => Some(true),
                    "down" => Some(false),
                    _ => None,
                },
                bfd_state: Name::some(row.key("bfd_status", "state")),
                csum: truth(row.key("options", "csum")),
            });
        }
        is_all
    }
}

/// The chassis in `<chassis>@<remote>%<local>`, `<chassis>@<remote>` or `<chassis>`, which may have an `@` itself.
fn chassis(id: &str, remote: &str) -> Option<Name> {
    let ends = [format!("@{remote}%"), format!("@[{remote}]%")];
    let joint = ends.iter().find_map(|end| id.rfind(end.as_str()));
    let joint = joint.or_else(|| id.strip_suffix(remote)?.strip_suffix('@').map(str::len));
    Name::some(joint.map_or(id, |at| &id[..at]))
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
