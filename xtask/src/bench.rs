//! `cargo xtask bench`: what one packet costs, by BPF_PROG_TEST_RUN.

use std::ffi::OsString;

use anyhow::Result;

use crate::binary;

/// Measure what the BPF programs cost per packet.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Arguments of the tool, such as --json.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Becomes the binary `bench` of the `tests` crate.
pub(crate) fn run(options: &Options) -> Result<()> {
    binary::become_tool("bench", &options.arguments)
}
