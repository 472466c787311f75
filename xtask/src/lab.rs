//! `cargo xtask lab`: real tunnels to play with.

use std::ffi::OsString;

use anyhow::Result;

use crate::binary;

/// Start two Open vSwitch nodes or two OVN chassis to play with.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Arguments of the tool, such as ovs.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Becomes the binary `lab` of the `tests` crate.
pub(crate) fn run(options: &Options) -> Result<()> {
    binary::become_tool("lab", &options.arguments)
}
