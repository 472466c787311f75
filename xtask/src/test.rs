//! `cargo xtask test`: every test, then the verifier's gate, then the kernel suite on other kernels, then one line with
//! the sums.
//!
//! The tests of the `tests` crate load BPF programs and make network namespaces, so they run as root: directly, or each
//! test program by sudo. Where neither is there they skip themselves, loudly, and the sums say how many did.

mod kernels;
mod output;
mod tally;

use std::process::{self, Command};

use anyhow::Result;

use crate::{
    binary,
    command::{command, say, step},
    rights::{self, Rights},
    setup,
};
use tally::Tally;

/// Run the unit tests, the tests on real kernel and tunnels, and the verifier gate.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Install nothing; tests whose tools are missing skip themselves.
    #[arg(long)]
    no_setup: bool,
    /// Kernels on which the kernel suite runs besides this machine's: `all`, `none`, or series such as 5.10,6.1
    /// [default: 5.10, or none with FILTER]
    #[arg(long, value_delimiter = ',')]
    kernels: Option<Vec<String>>,
    /// Run only tests whose name contains this, without the verifier gate.
    filter: Option<String>,
}

/// Runs the tests and prints the sums as the last line.
pub(crate) fn run(options: &Options) -> Result<()> {
    if !options.no_setup {
        setup::run(&setup::Options { tests: true, vm: true })?;
    }
    // Built before they run, so that the compiler's output and the tests' do not mix; with the daemon for the live tests.
    step(command("cargo", ["build", "--bins", "--tests"]))?;
    let mut tally = Tally::default();
    let mut success = output::run(cargo_test(Rights::of_caller(), options.filter.as_deref()), &mut tally)?;
    if let Err(error) = gate(options, &mut tally) {
        say(&format!("{error:#}"));
        tally.close(false);
        success = false;
    }
    let kernels = kernels::chosen(options.kernels.as_deref(), options.filter.as_deref());
    success &= kernels::run(&kernels, options.filter.as_deref(), &mut tally)?;
    report(&tally);
    if !success {
        // Not an error for main to print: the sums are the last line, whatever the result.
        process::exit(1);
    }
    Ok(())
}

/// One run for all, because cargo compiles the BPF programs anew for another selection of packages.
fn cargo_test(rights: Rights, filter: Option<&str>) -> Command {
    let mut test = command("cargo", ["test", "--no-fail-fast"]);
    match rights {
        Rights::Root => {}
        Rights::Sudo => {
            say("the tests of the crate `tests` need root, so they alone run under sudo");
            test.arg("--config").arg(sudo_runner());
        }
        Rights::None => say("neither root nor sudo: TESTS THAT NEED ROOT ARE SKIPPED"),
    }
    test.arg("--").args(filter).arg("--show-output");
    test
}

/// The setting by which cargo starts test programs; it does so in the folder of their package.
fn sudo_runner() -> String {
    let sudo = ["sudo".to_owned()].into_iter().chain(rights::sudo_options()).collect::<Vec<_>>().join(" ");
    let script = format!("case $PWD in */tests) exec {sudo} \"$@\";; *) exec \"$@\";; esac");
    format!("target.'cfg(all())'.runner=['sh', '-c', '{script}', 'runner']")
}

fn gate(options: &Options, tally: &mut Tally) -> Result<()> {
    if options.filter.is_some() {
        say("only a part was asked for, so the verifier gate is left out");
        return Ok(());
    }
    if Rights::of_caller() == Rights::None {
        tally.line("SKIPPED: the verifier gate: needs root");
        return Ok(());
    }
    step(binary::debug("verify")?)
}

fn report(tally: &Tally) {
    let skips = tally.skips();
    if !skips.is_empty() {
        println!("\nskipped here:");
    }
    for skip in skips {
        println!("  {skip}");
    }
    println!("\n{tally}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::describe;

    #[test]
    fn root_runs_the_tests_directly() {
        assert_eq!(describe(&cargo_test(Rights::Root, None)), "cargo test --no-fail-fast -- --show-output");
    }

    #[test]
    fn a_filter_goes_to_the_test_programs() {
        assert!(describe(&cargo_test(Rights::None, Some("geneve"))).ends_with("-- geneve --show-output"));
    }

    #[test]
    fn sudo_is_for_the_tests_crate_alone() {
        let setting = sudo_runner();
        assert!(setting.contains("*/tests) exec sudo ") && setting.contains("*) exec \"$@\""), "{setting}");
    }
}
