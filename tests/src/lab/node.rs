//! One Open vSwitch node: a namespace, its daemons, and `br-phy` with the underlay address.
//!
//! ```text
//!   192.168.50.<i>/24  fd50::<i>/64
//!                br-phy ── eth0 ── nd<i> (fabric)
//!                br-int ── v-<pod> ── eth0 (pod)
//! ```

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard};

use anyhow::{Result, anyhow};

use super::fabric::{self, Fabric};
use super::{DEVICE, Options, daemon};
use crate::netns::{End, Namespace};
use crate::process::{self, Process};

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

#[derive(Debug)]
pub(super) struct Node {
    index: usize,
    directory: PathBuf,
    pub(super) daemons: Vec<Process>,
    vswitchd: Mutex<Process>,
    pub(super) namespace: Namespace,
}

/// The underlay address of a node.
pub(super) fn outer(index: usize, ipv6: bool, options: Options) -> IpAddr {
    let i = u8::try_from(index).expect("a lab has a handful of nodes");
    fabric::address(index, i, ipv6, options)
}

impl Node {
    /// Starts the databases and switch of a node and plugs it into the fabric.
    pub(super) fn start(index: usize, state: &Path, fabric: &Fabric, options: Options) -> Result<Self> {
        let directory = daemon::directory(state, &format!("n{index}"))?;
        let namespace = Namespace::create(&format!("node{index}"))?;
        namespace.sysctl(&[("ipv6/conf/default/disable_ipv6", "1")])?;
        let mac = format!("02:50:00:00:00:0{index}");
        fabric.plug(index, &format!("nd{index}"), End { mac: Some(&mac), ..End::bare(&namespace, DEVICE) })?;
        let database = daemon::database(&namespace, &directory, "db", SCHEMA, None)?;
        vsctl(
            &directory,
            &format!(
                "--no-wait init -- set Open_vSwitch . external_ids:system-id=chassis-{index} external_ids:hostname=node{index}"
            ),
        )?;
        let socket = format!("unix:{}", directory.join("db.sock").display());
        let vswitchd = Mutex::new(daemon::start(&namespace, &directory, "ovs-vswitchd", &[socket])?);
        let node = Self { index, directory, daemons: vec![database], vswitchd, namespace };
        node.add_underlay(options)?;
        Ok(node)
    }

    fn add_underlay(&self, options: Options) -> Result<()> {
        if options.kernel {
            return self.add_addresses(DEVICE, options);
        }
        let i = self.index;
        let tag = options.vlan.map(|vlan| format!("-- set port br-phy tag={vlan}")).unwrap_or_default();
        self.vsctl(&format!(
            "add-br br-phy -- set bridge br-phy datapath_type=netdev fail-mode=standalone \
             other_config:hwaddr=02:50:00:00:01:0{i} -- add-port br-phy {DEVICE} {tag} \
             -- set interface br-phy mtu_request={}",
            options.underlay_mtu
        ))?;
        self.add_addresses("br-phy", options)
    }

    fn add_addresses(&self, device: &str, options: Options) -> Result<()> {
        self.namespace.sysctl(&[(&format!("ipv6/conf/{device}/disable_ipv6"), "0")])?;
        let addresses = [(false, 24), (true, 64)]
            .map(|(ipv6, length)| format!("addr add {}/{length} dev {device}", outer(self.index, ipv6, options)));
        self.namespace.ip(&addresses)?;
        self.namespace.ip(&[format!("link set {device} up")])?;
        if options.routed {
            let routers = [false, true].map(|ipv6| fabric::address(self.index, fabric::ROUTER, ipv6, options));
            self.namespace.ip(&routers.map(|router| format!("route add default via {router} dev {device}")))?;
        }
        Ok(())
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn vsctl(&self, line: &str) -> Result<String> {
        vsctl(&self.directory, line).map_err(|error| self.with_log(error))
    }

    pub(super) fn appctl(&self, line: &str) -> Result<String> {
        let socket = self.directory.join("ovs-vswitchd.ctl");
        process::run(Command::new("ovs-appctl").arg("-t").arg(socket).args(line.split_whitespace()))
    }

    pub(super) fn freeze(&self) -> Result<Frozen<'_>> {
        let mut switch = self.vswitchd.lock().map_err(|_| anyhow!("a test panicked while it held the switch"))?;
        switch.signal(libc::SIGSTOP)?;
        Ok(Frozen { switch })
    }

    /// Adds what the switch said last: its log goes away with the lab.
    fn with_log(&self, error: anyhow::Error) -> anyhow::Error {
        let log = fs::read_to_string(self.directory.join("ovs-vswitchd.log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(8).collect();
        let tail: String = tail.into_iter().rev().flat_map(|line| ["\n  ", line]).collect();
        error.context(format!("node{}: the last lines of ovs-vswitchd.log:{tail}", self.index))
    }
}

/// A switch that stands still while this lives.
#[derive(Debug)]
pub struct Frozen<'a> {
    switch: MutexGuard<'a, Process>,
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        // It fails only if the switch has died, which the next command to it will tell.
        let _ = self.switch.signal(libc::SIGCONT);
    }
}

fn vsctl(directory: &Path, line: &str) -> Result<String> {
    let socket = format!("--db=unix:{}", directory.join("db.sock").display());
    process::run(Command::new("ovs-vsctl").args([socket.as_str(), "-t", "20"]).args(line.split_whitespace()))
}
