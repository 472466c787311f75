//! Binaries of this workspace: built here, run with root's rights.

use std::{env, path::PathBuf, process::Command};

use anyhow::Result;

use crate::{
    command::{command, step, workspace},
    rights::Rights,
    setup,
};

/// Sets the machine up, builds one release binary, and gives the command that runs it as root.
pub(crate) fn release(name: &str) -> Result<Command> {
    built(name, "release", &["--release"])
}

/// The same of a debug binary, of which the tests have built most already.
pub(crate) fn debug(name: &str) -> Result<Command> {
    built(name, "debug", &[])
}

/// Builds a binary with these options, which cargo puts into this folder.
///
/// The package is not named: with the same selection of packages everywhere, cargo has the same features everywhere, and
/// does not compile the BPF programs anew.
fn built(name: &str, folder: &str, options: &[&str]) -> Result<Command> {
    setup::run(&setup::Options { tests: false, vm: false })?;
    let mut build = command("cargo", ["build", "--bin", name]);
    build.args(options);
    step(build)?;
    let mut binary = Command::new(target_folder().join(folder).join(name));
    binary.current_dir(env::current_dir()?);
    Rights::of_caller().raise(binary)
}

fn target_folder() -> PathBuf {
    // A relative folder is meant from where cargo runs, which is the top folder here.
    workspace().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
