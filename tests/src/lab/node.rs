//! One Open vSwitch node: a namespace, its daemons, and `br-phy` with the underlay address.
//!
//! ```text
//!   192.168.50.<i>/24  fd50::<i>/64
//!                br-phy ── eth0 ── nd<i> (fabric)
//!                br-int ── v-<pod> ── eth0 (pod)
//! ```

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::fabric::Fabric;
use super::{DEVICE, Options};
use crate::netns::{End, Namespace};
use crate::process::{self, Process};
use crate::wait;

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
/// The longest name of a socket that a daemon makes in its directory.
const LONGEST_SOCKET: &str = "ovs-vswitchd.ctl";
/// `sizeof(sockaddr_un.sun_path)`, less the final zero.
const SOCKET_PATH_MAX: usize = 107;

#[derive(Debug)]
pub(super) struct Node {
    index: usize,
    directory: PathBuf,
    pub(super) daemons: Vec<Process>,
    vswitchd: Mutex<Process>,
    pub(super) namespace: Namespace,
}

/// The underlay address of a node.
pub(super) fn outer(index: usize, ipv6: bool) -> IpAddr {
    let i = u8::try_from(index).expect("a lab has a handful of nodes");
    if ipv6 { Ipv6Addr::new(0xfd50, 0, 0, 0, 0, 0, 0, i.into()).into() } else { Ipv4Addr::new(192, 168, 50, i).into() }
}

impl Node {
    /// Starts the databases and switch of a node and plugs it into the fabric.
    pub(super) fn start(index: usize, state: &Path, fabric: &Fabric, options: Options) -> Result<Self> {
        let directory = directory(state, &format!("n{index}"))?;
        let namespace = Namespace::create(&format!("node{index}"))?;
        namespace.sysctl(&[("ipv6/conf/default/disable_ipv6", "1")])?;
        let mac = format!("02:50:00:00:00:0{index}");
        fabric.plug(&format!("nd{index}"), End { mac: Some(&mac), ..End::bare(&namespace, DEVICE) })?;
        let database = start_database(&namespace, &directory, "db", SCHEMA, None)?;
        vsctl(&directory, &format!("--no-wait init -- set Open_vSwitch . external_ids:system-id=chassis-{index}"))?;
        let socket = format!("unix:{}", directory.join("db.sock").display());
        let vswitchd = Mutex::new(daemon(&namespace, &directory, "ovs-vswitchd", &[socket])?);
        let node = Self { index, directory, daemons: vec![database], vswitchd, namespace };
        node.add_underlay(options)?;
        Ok(node)
    }

    fn add_underlay(&self, options: Options) -> Result<()> {
        let i = self.index;
        let tag = options.vlan.map(|vlan| format!("-- set port br-phy tag={vlan}")).unwrap_or_default();
        self.vsctl(&format!(
            "add-br br-phy -- set bridge br-phy datapath_type=netdev fail-mode=standalone \
             other_config:hwaddr=02:50:00:00:01:0{i} -- add-port br-phy {DEVICE} {tag} \
             -- set interface br-phy mtu_request={}",
            options.underlay_mtu
        ))?;
        self.namespace.sysctl(&[("ipv6/conf/br-phy/disable_ipv6", "0")])?;
        let addresses =
            [(false, 24), (true, 64)].map(|(ipv6, length)| format!("addr add {}/{length} dev br-phy", outer(i, ipv6)));
        self.namespace.ip(&addresses)?;
        self.namespace.ip(&["link set br-phy up"])
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn vsctl(&self, line: &str) -> Result<String> {
        vsctl(&self.directory, line).map_err(|error| self.with_log(error))
    }

    pub(super) fn appctl(&self, line: &str) -> Result<String> {
        let socket = self.directory.join(LONGEST_SOCKET);
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

/// Makes a directory for a daemon's sockets, short enough for them.
pub(super) fn directory(state: &Path, name: &str) -> Result<PathBuf> {
    let path = state.join(name);
    let length = path.join(LONGEST_SOCKET).as_os_str().len();
    ensure!(length <= SOCKET_PATH_MAX, "{} is too long a path for a socket: set a shorter TMPDIR", path.display());
    fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
    Ok(path)
}

/// Creates `<name>.db` from a schema and serves it at `<name>.sock`, and on a TCP port if one is given.
pub(super) fn start_database(
    namespace: &Namespace,
    directory: &Path,
    name: &str,
    schema: &str,
    port: Option<u16>,
) -> Result<Process> {
    let (file, socket) = (directory.join(format!("{name}.db")), directory.join(format!("{name}.sock")));
    process::run(Command::new("ovsdb-tool").arg("create").arg(&file).arg(schema))?;
    let mut arguments = vec![file.display().to_string(), format!("--remote=punix:{}", socket.display())];
    arguments.extend(port.map(|port| format!("--remote=ptcp:{port}:0.0.0.0")));
    arguments.push(format!("--unixctl={}", directory.join(format!("{name}.ctl")).display()));
    let mut server = daemon(namespace, directory, "ovsdb-server", &arguments)?;
    wait::until(&format!("{}", socket.display()), Duration::from_secs(20), || match server.ended()? {
        Some(status) => bail!("ovsdb-server ended ({status})"),
        None => Ok(socket.exists().then_some(())),
    })?;
    Ok(server)
}

/// Starts a daemon of OVS or OVN as a child in the foreground, with all its files in `directory`.
pub(super) fn daemon(namespace: &Namespace, directory: &Path, program: &str, arguments: &[String]) -> Result<Process> {
    let log = directory.join(format!("{program}.log"));
    let stderr = File::options().create(true).append(true).open(&log).context("cannot create a daemon's log")?;
    let mut command = namespace.command(program);
    for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR", "OVN_RUNDIR", "OVN_LOGDIR"] {
        command.env(variable, directory);
    }
    command.args(arguments).args(["-vsyslog:off", "-vconsole:info"]);
    if program != "ovsdb-server" && program != "ovn-controller" {
        command.arg(format!("--unixctl={}", directory.join(format!("{program}.ctl")).display()));
    }
    Process::spawn(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr))
}

fn vsctl(directory: &Path, line: &str) -> Result<String> {
    let socket = format!("--db=unix:{}", directory.join("db.sock").display());
    process::run(Command::new("ovs-vsctl").args([socket.as_str(), "-t", "20"]).args(line.split_whitespace()))
}
