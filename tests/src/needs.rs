//! What a test needs from the machine, asked before it starts, so that it can be skipped with a reason.

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

/// Programs of the plain namespace tools.
pub const NETWORK: &[&str] = &["ip", "ethtool", "ping"];
/// Programs that show what is attached to a device.
pub const HOOKS: &[&str] = &["tc", "bpftool"];
/// Programs of the capture oracle.
pub const CAPTURE: &[&str] = &["tcpdump", "tshark"];
/// Programs of an Open vSwitch laboratory.
pub const OVS: &[&str] = &["ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-appctl"];
/// Programs that OVN adds to those.
pub const OVN: &[&str] = &["ovn-nbctl", "ovn-sbctl", "ovn-northd", "ovn-controller"];

/// The reason why a test that needs root and these programs cannot run here, if there is one.
pub fn missing(programs: &[&[&str]]) -> Option<String> {
    if !is_root() {
        return Some("not root: network namespaces need it".to_owned());
    }
    let absent: Vec<&str> = programs.concat().into_iter().filter(|program| !is_installed(program)).collect();
    (!absent.is_empty()).then(|| format!("not installed: {}", absent.join(", ")))
}

pub fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// The reason why this kernel cannot do what the module `name` does, if there is one; loads it otherwise.
pub fn missing_module(name: &str) -> Option<String> {
    if !is_root() {
        return Some("not root: kernel modules need it".to_owned());
    }
    let loaded = Command::new("modprobe").args(["-q", name]).stderr(Stdio::null()).status();
    // What is built in is no module of a kernel that has none, and may be listed all the same.
    let here = loaded.is_ok_and(|status| status.success()) || Path::new("/sys/module").join(name).exists();
    (!here).then(|| format!("this kernel has no module {name}"))
}

/// Says that the running test did not run, on the real standard error and not the one that the harness hides.
pub fn skip(reason: &str) {
    // The harness names a test's thread after it.
    let line = format!("SKIPPED: {}: {reason}\n", thread::current().name().unwrap_or("a test"));
    // A skip that nobody can be told of is no reason to fail.
    let _ = io::stderr().write_all(line.as_bytes());
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installed_programs_are_found_and_others_are_not() {
        assert!(is_installed("sh"));
        assert!(!is_installed("no-such-program-here"));
    }
}
