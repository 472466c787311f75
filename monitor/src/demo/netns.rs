//! Network namespaces without names: each lives as long as an open descriptor or a thread inside it does.
//!
//! So nothing is ever left behind, not even by SIGKILL, and any number of demos run side by side.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    os::fd::{AsFd, AsRawFd},
    process::{Command, Stdio, id},
    thread,
};

use anyhow::{Context, Result, anyhow, bail};

use super::{sys, tap};

/// One network namespace, gone with all its devices when dropped and left by all threads.
pub(super) struct Namespace {
    file: File,
}

impl Namespace {
    /// Makes an empty namespace whose loopback is up.
    pub(super) fn create() -> Result<Self> {
        let file = on_thread(|| {
            sys::unshare_network().map_err(|error| {
                let denied = error.kind() == ErrorKind::PermissionDenied;
                let advice = if denied { " (the demo needs root: use sudo)" } else { "" };
                anyhow!("making a network namespace: {error}{advice}")
            })?;
            let path = "/proc/thread-self/ns/net";
            File::open(path).with_context(|| format!("opening {path}"))
        })?;
        let namespace = Self { file };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Moves the calling thread into the namespace; threads and children that it starts later are in it too.
    pub(super) fn enter(&self) -> Result<()> {
        sys::enter_network(self.file.as_fd()).context("entering a network namespace of the demo")
    }

    /// Does `work` on a thread of its own inside the namespace and waits for it.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        on_thread(|| {
            self.enter()?;
            work()
        })
    }

    /// The namespace as a file that `nsenter --net=` and `ip link set … netns` take while this process lives.
    pub(super) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", id(), self.file.as_raw_fd())
    }

    /// Feeds `script`, one command a line, to the `ip` program inside the namespace.
    pub(super) fn ip(&self, script: &str) -> Result<()> {
        self.run(|| ip_batch(script))
    }

    /// Makes a TAP device here and sets it up: no link-local address, no router solicitations, no DAD.
    pub(super) fn tap(&self, name: &str, mtu_bytes: u16, addresses: &[String]) -> Result<File> {
        let tap = self.run(|| tap::create(name))?;
        self.configure(name, mtu_bytes, addresses)?;
        Ok(tap)
    }

    /// Gives a device its MTU and addresses and sets it up.
    pub(super) fn configure(&self, device: &str, mtu_bytes: u16, addresses: &[String]) -> Result<()> {
        let mut script = format!("link set {device} mtu {mtu_bytes} addrgenmode none\n");
        for address in addresses {
            let nodad = if address.contains(':') { "nodad" } else { "" };
            script += &format!("addr add {address} dev {device} {nodad}\n");
        }
        self.ip(&(script + &format!("link set {device} up\n")))
    }

    /// Lets processes here open datagram ICMP sockets, which a new namespace denies even to root.
    pub(super) fn allow_icmp_sockets(&self) -> Result<()> {
        let path = "/proc/sys/net/ipv4/ping_group_range";
        self.run(|| fs::write(path, "0 0").with_context(|| format!("writing {path}")))
    }
}

fn on_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| scope.spawn(work).join().map_err(|_| anyhow!("a thread of the demo's set-up panicked"))?)
}

fn ip_batch(script: &str) -> Result<()> {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            let missing = error.kind() == ErrorKind::NotFound;
            let advice = if missing { " (it is missing: install iproute2)" } else { "" };
            anyhow!("starting the `ip` program: {error}{advice}")
        })?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(script.as_bytes()).context("writing to the `ip` program")?;
    }
    let output = child.wait_with_output().context("waiting for the `ip` program")?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("`ip {}`: {}", script.trim().replace('\n', "; "), complaint.lines().next().unwrap_or("failed").trim());
    }
    Ok(())
}
