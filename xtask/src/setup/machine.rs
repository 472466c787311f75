//! What is on this machine and what is not: facts only, `plan` decides.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{Options, packages, programs};
use crate::{
    command::{capture, command},
    rights::Rights,
    toolchain::{BPF_LINKER, HOST_COMPONENTS, NIGHTLY, NIGHTLY_COMPONENTS},
};

/// The facts that a plan is made from.
#[derive(Debug)]
pub(super) struct Machine {
    /// How packages can be installed, if at all.
    pub(super) rights: Rights,
    /// True where apt-get is.
    pub(super) has_apt: bool,
    /// True where the nightly of `toolchain` is, with or without its components.
    pub(super) has_nightly: bool,
    /// Components that the nightly lacks.
    pub(super) nightly_lacks: Vec<&'static str>,
    /// Components that the workspace's own toolchain lacks.
    pub(super) host_lacks: Vec<&'static str>,
    /// True where a bpf-linker runs and is new enough.
    pub(super) has_linker: bool,
    /// Debian packages that are wanted and not there.
    pub(super) packages_lacking: Vec<&'static str>,
}

impl Machine {
    /// Looks at this machine; the options tell which packages are wanted.
    pub(super) fn look(options: &Options) -> Result<Self> {
        if !programs::exists("rustup") {
            bail!("rustup is not here: install it first, the BPF programs need a nightly toolchain");
        }
        let toolchains = capture(command("rustup", ["toolchain", "list"]))?;
        let has_nightly = toolchains.lines().any(|line| is_named(line, NIGHTLY));
        let has_linker = linker_version().is_some_and(|version| version >= BPF_LINKER);
        let mut packages_lacking = packages::missing(packages::BASE);
        if !has_linker {
            packages_lacking.extend(packages::missing(packages::LINKER));
        }
        if options.tests {
            packages_lacking.extend(packages::missing(packages::TESTS));
        }
        if options.vm {
            packages_lacking.extend(packages::missing(packages::VM));
        }
        Ok(Self {
            rights: Rights::of_caller(),
            has_apt: programs::exists("apt-get"),
            has_nightly,
            nightly_lacks: if has_nightly { lacking(Some(NIGHTLY), &NIGHTLY_COMPONENTS)? } else { Vec::new() },
            host_lacks: lacking(None, &HOST_COMPONENTS)?,
            has_linker,
            packages_lacking,
        })
    }
}

/// The components that a toolchain lacks; without a name, the one that the workspace uses.
fn lacking(toolchain: Option<&str>, wanted: &[&'static str]) -> Result<Vec<&'static str>> {
    let mut list = command("rustup", ["component", "list", "--installed"]);
    if let Some(name) = toolchain {
        list.args(["--toolchain", name]);
    }
    let installed = capture(list).context("cannot tell which toolchain components are here")?;
    Ok(not_listed(&installed, wanted))
}

fn not_listed(installed: &str, wanted: &[&'static str]) -> Vec<&'static str> {
    wanted.iter().copied().filter(|name| !installed.lines().any(|line| is_named(line, name))).collect()
}

/// True when a line of rustup's lists means this name: bare, or followed by the platform or a remark.
fn is_named(line: &str, name: &str) -> bool {
    line.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', ' ']))
}

fn linker_version() -> Option<(u32, u32)> {
    // It is run, not looked for: a bpf-linker whose LLVM library went away does not start.
    let output = Command::new("bpf-linker").arg("--version").output().ok().filter(|output| output.status.success())?;
    version(&String::from_utf8_lossy(&output.stdout))
}

/// The first two numbers of a line such as `bpf-linker 0.13.0`.
fn version(line: &str) -> Option<(u32, u32)> {
    let mut numbers = line.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linkers_version_is_read() {
        assert_eq!(version("bpf-linker 0.13.0\n"), Some((0, 13)));
        assert_eq!(version("bpf-linker"), None);
        assert_eq!(version("bpf-linker unknown"), None);
    }

    #[test]
    fn a_component_is_known_with_and_without_its_platform() {
        let installed = "cargo-x86_64-unknown-linux-gnu\nclippy-x86_64-unknown-linux-gnu\nrust-src\n";
        assert_eq!(not_listed(installed, &["rust-src", "clippy", "rustfmt"]), ["rustfmt"]);
    }

    #[test]
    fn a_name_does_not_match_a_longer_one() {
        assert!(is_named("nightly-2026-05-20-x86_64-unknown-linux-gnu (default)", "nightly-2026-05-20"));
        assert!(!is_named("nightly-2026-05-201", "nightly-2026-05-20"));
    }
}
