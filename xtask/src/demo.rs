//! `cargo xtask demo`: two nodes, a Geneve tunnel between them, traffic, and tunmon watching it.

use std::ffi::OsString;

use anyhow::Result;

use crate::{binary, command};

/// Build tunmon and run its demo, a two-node tunnel in network namespaces.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Arguments of `tunmon demo`, such as --duration 20s, -o json, --fault mtu.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Becomes `tunmon demo`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut tunmon = binary::release("tunmon")?;
    tunmon.arg("demo").args(&options.arguments);
    command::replace_with(tunmon)
}
