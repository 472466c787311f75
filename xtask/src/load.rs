//! `cargo xtask load`: tunmon under millions of frames a second.

use std::ffi::OsString;

use anyhow::Result;

use crate::command::{command, step};
use crate::{binary, setup};

/// Measure tunmon under load: whole frames at full speed, the daemon's cost, and more than the tables hold.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Arguments of the tool, such as --seconds 3 or --json.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Becomes the binary `load` of the `tests` crate, which starts the daemon beside it.
pub(crate) fn run(options: &Options) -> Result<()> {
    // With clang, which compiles the generator.
    setup::run(&setup::Options { tests: true, vm: false })?;
    step(command("cargo", ["build", "--release", "--bin", "load", "--bin", "tunmon"]))?;
    binary::become_tool("load", &options.arguments)
}
