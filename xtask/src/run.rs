//! `cargo xtask run -- ARGS`: tunmon itself, as root.

use std::ffi::OsString;

use anyhow::Result;

use crate::{binary, command};

/// Build and run tunmon: cargo xtask run -- --iface eth0.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Arguments of tunmon.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Becomes tunmon.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut tunmon = binary::release("tunmon")?;
    tunmon.args(&options.arguments);
    command::replace_with(tunmon)
}
