//! The verbs that build a program and become it: tunmon itself, and the binaries of the `tests` crate.

use std::ffi::OsString;

use anyhow::Result;

use crate::{
    binary,
    command::{self, command, step},
    setup,
};

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Arguments of the program, such as --help.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Becomes a release binary with root's rights; `first` come before the arguments of the verb.
pub(crate) fn run(name: &str, first: &[&str], options: &Options) -> Result<()> {
    let mut tool = binary::release(name)?;
    tool.args(first).args(&options.arguments);
    command::replace_with(tool)
}

/// Becomes the binary `load`, which starts the daemon beside it.
pub(crate) fn load(options: &Options) -> Result<()> {
    // With clang, which compiles the generator.
    setup::run(&setup::Options { tests: true, vm: false })?;
    step(command("cargo", ["build", "--release", "--bin", "load", "--bin", "tunmon"]))?;
    run("load", &[], options)
}
