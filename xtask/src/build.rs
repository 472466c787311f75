//! `cargo xtask build`: the daemon with the BPF object inside it.

use anyhow::Result;

use crate::{
    command::{command, step},
    setup,
};

/// Build tunmon. Its BPF programs are compiled on the way, by monitor/build.rs.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Optimise the host code too (the BPF programs always are).
    #[arg(long)]
    release: bool,
}

/// Builds the binary of the package `monitor`.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::run(&setup::Options { tests: false, vm: false })?;
    let mut build = command("cargo", ["build", "--bin", "tunmon"]);
    if options.release {
        build.arg("--release");
    }
    step(build)
}
