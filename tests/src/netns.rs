//! Network namespaces of this process: uniquely named, deleted on drop.
//!
//! A namespace that a killed run left behind is deleted at the first use in a later run: its name carries the pid of its
//! owner. Commands run inside by `ip netns exec`; the current thread can step in with [`Namespace::enter`].
//! IPv6's own chatter (duplicate address detection, router solicitations, repeated group reports) is off from the start, so
//! that a test's traffic is nearly all there is.

mod device;
mod enter;

use std::fs;
use std::process::Command;
use std::sync::Once;

use anyhow::{Context, Result, ensure};

use crate::needs;
use crate::process;
use crate::scratch;

pub use device::{End, Traffic, cable, ip_received, offloads_off, traffic, veth};
pub use enter::Entered;

const DIRECTORY: &str = "/run/netns";
static SWEEP: Once = Once::new();

/// A network namespace, deleted on drop.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Creates `tunmon-t<pid>-<n>-<label>` with its loopback up.
    pub fn create(label: &str) -> Result<Self> {
        ensure!(needs::is_root(), "network namespaces need root: run this as root");
        SWEEP.call_once(sweep);
        let name = scratch::unique(label);
        process::run(Command::new("ip").args(["netns", "add", &name]))?;
        let namespace = Self { name };
        namespace.sysctl(QUIET)?;
        namespace.ip(&["link set lo up"])?;
        Ok(namespace)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that will run inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs a command line (words, split at blanks) inside, and returns its standard output.
    pub fn run(&self, line: &str) -> Result<String> {
        let mut words = line.split_whitespace();
        let program = words.next().context("an empty command line")?;
        process::run(self.command(program).args(words))
    }

    /// Runs lines of `ip` inside, in one go; stops at the first that fails.
    pub fn ip<S: AsRef<str>>(&self, lines: &[S]) -> Result<()> {
        let text: String = lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect();
        let output = process::fed(Command::new("ip").args(["-n", &self.name, "-batch", "-"]), &text)?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ip in {}: {}\n{text}", self.name, complaint.trim());
        Ok(())
    }

    /// Writes settings below `/proc/sys/net`, as pairs of path and value.
    pub fn sysctl(&self, settings: &[(&str, &str)]) -> Result<()> {
        let _inside = self.enter()?;
        for (path, value) in settings {
            fs::write(format!("/proc/sys/net/{path}"), value)
                .with_context(|| format!("sysctl net/{path} = {value}"))?;
        }
        Ok(())
    }

    /// Moves the current thread inside until the guard drops. Sockets and BPF links made meanwhile stay inside.
    pub fn enter(&self) -> Result<Entered> {
        Entered::new(&format!("{DIRECTORY}/{}", self.name))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        delete(&self.name);
    }
}

/// No duplicate address detection, no routers, and group reports that are over within milliseconds.
const QUIET: &[(&str, &str)] = &[
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
    ("ipv6/conf/default/mldv2_unsolicited_report_interval", "1"),
];

fn delete(name: &str) {
    // Fails only if it is gone already; a later run sweeps what remains.
    let _ = process::output(Command::new("ip").args(["netns", "del", name]));
}

fn sweep() {
    let Ok(entries) = fs::read_dir(DIRECTORY) else { return };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        if scratch::is_leftover(&name) {
            delete(&name);
        }
    }
}
