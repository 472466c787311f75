//! `cargo xtask setup`: brings a bare Debian 12 with rustup to where everything builds.
//!
//! Looks at the machine, plans what is missing, says each thing that it installs and how long that takes, and does it.
//! With nothing missing it says nothing and takes a fraction of a second, so every other verb begins with it.

mod machine;
mod packages;
mod plan;
pub(crate) mod programs;

use anyhow::Result;

use crate::{
    command::{self, say},
    rights::Rights,
};
use machine::Machine;

/// Install what is missing to build tunmon, and with --tests or --vm what these use.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Also install what the tests use: Open vSwitch, OVN, tshark, iperf3 and the like.
    #[arg(long)]
    pub(crate) tests: bool,
    /// Also install what boots other kernels: QEMU and a few tools, 18 MB to download.
    #[arg(long)]
    pub(crate) vm: bool,
}

/// Installs what is missing.
pub(crate) fn run(options: &Options) -> Result<()> {
    let machine = Machine::look(options)?;
    let steps = plan::plan(&machine)?;
    for step in &steps {
        say(&format!("setup: {}", step.summary()));
        let command = step.command();
        let command = if step.needs_root() { Rights::of_caller().raise(command)? } else { command };
        command::step(command).map_err(|error| error.context(step.advice()))?;
    }
    if !steps.is_empty() {
        say("setup: done");
    }
    Ok(())
}
