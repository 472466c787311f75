//! Daemons of OVS and OVN as children in the foreground, each with its files in a directory of the lab.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::netns::Namespace;
use crate::process::{self, Process};
use crate::wait;

/// The longest name of a socket that a daemon makes in its directory.
const LONGEST_SOCKET: &str = "ovs-vswitchd.ctl";
/// `sizeof(sockaddr_un.sun_path)`, less the final zero.
const SOCKET_PATH_MAX: usize = 107;

/// Makes a directory for a daemon's sockets, short enough for them.
pub(super) fn directory(state: &Path, name: &str) -> Result<PathBuf> {
    let path = state.join(name);
    let length = path.join(LONGEST_SOCKET).as_os_str().len();
    ensure!(length <= SOCKET_PATH_MAX, "{} is too long a path for a socket: set a shorter TMPDIR", path.display());
    fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
    Ok(path)
}

/// Creates `<name>.db` from a schema and serves it at `<name>.sock`, and on a TCP port if one is given.
pub(super) fn database(
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
    let mut server = start(namespace, directory, "ovsdb-server", &arguments)?;
    wait::until(&format!("{}", socket.display()), Duration::from_secs(20), || match server.ended()? {
        Some(status) => bail!("ovsdb-server ended ({status})"),
        None => Ok(socket.exists().then_some(())),
    })?;
    Ok(server)
}

/// Starts a daemon of OVS or OVN as a child in the foreground, with all its files in `directory`.
pub(super) fn start(namespace: &Namespace, directory: &Path, program: &str, arguments: &[String]) -> Result<Process> {
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
