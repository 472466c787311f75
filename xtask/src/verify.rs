//! `cargo xtask verify`: the verifier's cost of every BPF program against its budget.

use std::ffi::OsString;

use anyhow::Result;

use crate::binary;

/// Load every BPF program and compare what the verifier says with its budget.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Arguments of the tool, such as --json.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Becomes the binary `verify` of the `tests` crate.
pub(crate) fn run(options: &Options) -> Result<()> {
    binary::become_tool("verify", &options.arguments)
}
