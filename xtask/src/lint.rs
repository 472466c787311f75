//! `cargo xtask lint`: formatting, clippy on both sides, and the rules of this house that no compiler knows.
//!
//! Every check runs even where an earlier one failed; the last line names those that did.

mod direction;
mod links;
mod pins;
mod shape;
mod source;

use anyhow::{Result, bail};

use crate::{
    command::{command, say, step},
    setup,
    toolchain::NIGHTLY,
};

/// Check formatting, lints, the direction of the code, its shape and the links of its documents.
#[derive(clap::Args)]
pub(crate) struct Options {}

type Check = (&'static str, fn() -> Result<()>);

/// The quick ones first.
const CHECKS: [Check; 7] = [
    ("direction", || verdict(direction::offences()?)),
    ("shape", || verdict(shape::offences()?)),
    ("links", || verdict(links::offences()?)),
    ("pins", || verdict(pins::offences()?)),
    ("format", format),
    ("clippy", clippy),
    ("clippy of the BPF programs", bpf_clippy),
];

/// Runs all checks.
pub(crate) fn run(_: &Options) -> Result<()> {
    setup::run(&setup::Options { tests: false, vm: false })?;
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        if let Err(error) = check() {
            say(&format!("lint: {name}: {error:#}"));
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("lint: {} of {} checks failed: {}", failed.len(), CHECKS.len(), failed.join(", "));
    }
    say(&format!("lint: all {} checks passed", CHECKS.len()));
    Ok(())
}

fn verdict(offences: Vec<String>) -> Result<()> {
    for offence in &offences {
        eprintln!("  {offence}");
    }
    if !offences.is_empty() {
        bail!("{} found", offences.len());
    }
    Ok(())
}

fn format() -> Result<()> {
    step(command("cargo", ["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    step(command("cargo", ["clippy", "--all-targets", "--", "-D", "warnings"]))
}

fn bpf_clippy() -> Result<()> {
    let toolchain = format!("+{NIGHTLY}");
    let mut clippy = command("cargo", [&*toolchain, "clippy", "--package", "monitor-ebpf", "--release"]);
    clippy.args(["-Z", "build-std=core", "--target", "bpfel-unknown-none", "--", "-D", "warnings"]);
    step(clippy)
}
