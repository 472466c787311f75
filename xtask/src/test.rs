//! `cargo xtask test`: every test, then the verifier's gate, then one line with the sums.
//!
//! The tests of the `tests` crate load BPF programs and make network namespaces, so they run as root: directly, or each
//! test program by sudo. Where neither is there they skip themselves, loudly, and the sums say how many did.

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
    /// Run only tests whose name contains this, without the verifier gate.
    filter: Option<String>,
}

/// Runs the tests and prints the sums as the last line.
pub(crate) fn run(options: &Options) -> Result<()> {
    if !options.no_setup {
        setup::run(&setup::Options { tests: true })?;
    }
    // Built before they run, so that the compiler's output and the tests' do not mix. The live tests start the daemon.
    step(command("cargo", ["build", "--package", "monitor"]))?;
    step(command("cargo", ["test", "--workspace", "--exclude", "monitor-ebpf", "--no-run"]))?;

    let mut tally = Tally::default();
    let mut success = true;
    for mut part in parts(Rights::of_caller()) {
        part.args(options.filter.iter()).arg("--show-output");
        success &= output::run(part, &mut tally)?;
    }
    if let Err(error) = gate(options, &mut tally) {
        say(&format!("{error:#}"));
        tally.close(false);
        success = false;
    }
    report(&tally);
    if !success {
        // Not an error for main to print: the sums are the last line, whatever the result.
        process::exit(1);
    }
    Ok(())
}

/// The test runs: one where all runs as the caller, two where a part is for sudo.
fn parts(rights: Rights) -> Vec<Command> {
    let all = ["test", "--no-fail-fast", "--workspace", "--exclude=monitor-ebpf"];
    match rights {
        Rights::Root => vec![separated(command("cargo", all))],
        Rights::None => {
            say("neither root nor sudo: TESTS THAT NEED ROOT ARE SKIPPED");
            vec![separated(command("cargo", all))]
        }
        Rights::Sudo => {
            say("the tests of the crate `tests` need root, so they alone run under sudo");
            let mut host = command("cargo", all);
            host.arg("--exclude=tests");
            let mut rooted = command("cargo", ["test", "--no-fail-fast", "--package=tests"]);
            rooted.arg("--config").arg(sudo_runner());
            vec![separated(host), separated(rooted)]
        }
    }
}

fn separated(mut cargo_test: Command) -> Command {
    cargo_test.arg("--");
    cargo_test
}

/// The setting by which cargo starts each test program under sudo.
fn sudo_runner() -> String {
    let words = std::iter::once("sudo".to_owned()).chain(rights::sudo_options());
    let words: Vec<_> = words.map(|word| format!("\"{word}\"")).collect();
    format!("target.'cfg(all())'.runner=[{}]", words.join(","))
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
    step(binary::release("tests", "verify")?)
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
    fn root_runs_everything_at_once() {
        let parts: Vec<_> = parts(Rights::Root).iter().map(describe).collect();
        assert_eq!(parts, ["cargo test --no-fail-fast --workspace --exclude=monitor-ebpf --"]);
    }

    #[test]
    fn sudo_is_for_the_tests_crate_alone() {
        let parts: Vec<_> = parts(Rights::Sudo).iter().map(describe).collect();
        assert_eq!(parts.len(), 2);
        assert!(parts[0].contains("--exclude=tests") && !parts[0].contains("sudo"), "{}", parts[0]);
        assert!(parts[1].contains("--package=tests") && parts[1].contains("runner=[\"sudo\""), "{}", parts[1]);
    }
}
