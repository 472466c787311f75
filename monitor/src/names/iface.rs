//! Which device carries this node's tunnels: `--iface auto`, as its switch says.
//!
//! The address of the tunnel endpoint (`ovn-encap-ip`) is a device's. If that is a bridge of the switch, packets pass its
//! port too, on which XDP can be native, and with the user-space datapath they pass nothing else: so it is the port, if the
//! bridge has one to the outside and no more. A bond in the switch is one port with several devices.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::timeout;

use super::ovs::Switches;
use super::ovsdb::{Change, Column, Kind, METHODS, Request, Rows, Schema, Subject, Target, Trouble, once};
use crate::cli::NameOptions;
use crate::device::carries_ethernet;
use crate::inventory::Facts;
use crate::netlink::{Link, Route};

/// How long the switch may take to answer; then it is the device of the default route.
const PATIENCE: Duration = Duration::from_millis(500);

const BRIDGE: Schema =
    Schema { table: "Bridge", columns: &[Column("name", Kind::Value), Column("ports", Kind::Set)], most: 1024 };
const PORT: Schema = Schema { table: "Port", columns: &[Column("interfaces", Kind::Set)], most: 8192 };
const INTERFACE: Schema =
    Schema { table: "Interface", columns: &[Column("name", Kind::Value), Column("type", Kind::Value)], most: 8192 };

/// The devices that carry this node's tunnels; none if its switch does not say so in time.
pub(crate) fn tunnel_devices(options: &NameOptions, route: &mut Route, links: &[Link]) -> Vec<String> {
    let place = super::ovs_place(options).ok().flatten();
    let target =
        place.zip(super::tls_paths(options).ok()).and_then(|(place, paths)| Some(Target { paths, ..place.target()? }));
    let Some((layout, addresses)) = target.and_then(|target| ask(&target)) else { return Vec::new() };
    let owns =
        |link: &&Link| route.addresses(link.index).is_ok_and(|own| own.iter().any(|own| addresses.contains(own)));
    let mut devices = Vec::new();
    for owner in links.iter().filter(owns) {
        let ports = layout.outward(&owner.name, links);
        let found = if ports.is_empty() { vec![owner.name.clone()] } else { ports };
        devices.extend(found.into_iter().filter(|name| !devices.contains(name)).collect::<Vec<_>>());
    }
    devices
}

/// Asks the switch for its bridges and the addresses of its tunnel endpoint.
fn ask(target: &Target) -> Option<(Layout, Vec<IpAddr>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let (mut layout, mut switches) = (Layout::default(), Switches::default());
    let asked = async {
        once(&mut switches, target).await?;
        once(&mut layout, target).await
    };
    let is_told = runtime.block_on(async { timeout(PATIENCE, asked).await }).is_ok_and(|asked| asked.is_ok());
    runtime.shutdown_background();
    is_told.then(|| (layout, switches.switch().map(|switch| switch.encap_ips).unwrap_or_default()))
}

/// Bridges and what is in them.
struct Layout {
    bridges: Rows,
    ports: Rows,
    interfaces: Rows,
}

impl Default for Layout {
    fn default() -> Self {
        Self { bridges: Rows::new(BRIDGE), ports: Rows::new(PORT), interfaces: Rows::new(INTERFACE) }
    }
}

impl Layout {
    /// The devices of a bridge's only port to the outside; none if it has no such or several.
    fn outward(&self, bridge: &str, links: &[Link]) -> Vec<String> {
        let Some((_, bridge)) = self.bridges.iter().find(|(_, row)| row.text("name") == bridge) else {
            return Vec::new();
        };
        let is_fit = |name: &str| links.iter().any(|link| link.name == name && carries_ethernet(link));
        let ports = bridge.set("ports").filter_map(|port| self.ports.get(port));
        let devices = ports.map(|port| {
            let interfaces = port.set("interfaces").filter_map(|interface| self.interfaces.get(interface));
            let devices = interfaces.filter(|interface| matches!(interface.text("type"), "" | "system"));
            let devices = devices.map(|interface| interface.text("name")).filter(|name| is_fit(name));
            devices.map(str::to_owned).collect::<Vec<_>>()
        });
        let mut outward = devices.filter(|devices| !devices.is_empty());
        outward.next().filter(|_| outward.next().is_none()).unwrap_or_default()
    }
}

impl Subject for Layout {
    fn database(&self) -> &'static str {
        "Open_vSwitch"
    }

    fn requests(&self) -> Vec<Request> {
        let tables = [BRIDGE, PORT, INTERFACE].iter().map(Schema::request).collect();
        vec![Request { tables, methods: METHODS, patience: PATIENCE }]
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    fn take(&mut self, table: &str, uuid: u128, change: &Change) -> Result<(), Trouble> {
        [&mut self.bridges, &mut self.ports, &mut self.interfaces]
            .into_iter()
            .try_for_each(|rows| rows.take(table, uuid, change))
    }

    fn facts(&self) -> (Facts, Option<String>) {
        Default::default()
    }

    fn lessen(&mut self, _trouble: &Trouble) -> bool {
        false
    }
}
