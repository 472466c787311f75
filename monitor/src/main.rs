//! tunmon, the binary: arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use monitor::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    monitor::log::init(&cli.common.log);
    match monitor::run(&cli) {
        Ok(code) => code,
        Err(error) => monitor::failure::report(&error),
    }
}
