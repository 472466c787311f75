//! `cargo xtask <verb>`: the project's own commands, one file a verb; those that only become a program share one.
//!
//! This crate depends on nothing of the product, because `setup` has to run before the product can be built.
//! Each verb is an `Options` and a `run`; what several verbs share is in `command`, `rights`, `toolchain` and `binary`.

mod binary;
mod build;
mod command;
mod lint;
mod rights;
mod setup;
mod test;
mod tool;
mod toolchain;
mod vm;

use std::process::ExitCode;

use clap::Parser;

/// The commands of this project. Each prepares what it needs by itself.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Verb {
    Setup(setup::Options),
    Build(build::Options),
    /// Build and run tunmon: cargo xtask run -- --iface eth0.
    Run(tool::Options),
    /// Build tunmon and run its demo, a two-node tunnel in network namespaces.
    Demo(tool::Options),
    Test(test::Options),
    Lint(lint::Options),
    /// Load every BPF program and compare what the verifier says with its budget.
    Verify(tool::Options),
    /// Measure what the BPF programs cost per packet.
    Bench(tool::Options),
    /// Measure tunmon under load: whole frames at full speed, the daemon's cost, and more than the tables hold.
    Load(tool::Options),
    /// Start two Open vSwitch nodes or two OVN chassis to play with.
    Lab(tool::Options),
    Vm(vm::Options),
}

fn main() -> ExitCode {
    let result = match Verb::parse() {
        Verb::Setup(options) => setup::run(&options),
        Verb::Build(options) => build::run(&options),
        Verb::Run(options) => tool::run("tunmon", &[], &options),
        Verb::Demo(options) => tool::run("tunmon", &["demo"], &options),
        Verb::Test(options) => test::run(&options),
        Verb::Lint(options) => lint::run(&options),
        Verb::Verify(options) => tool::run("verify", &[], &options),
        Verb::Bench(options) => tool::run("bench", &[], &options),
        Verb::Load(options) => tool::load(&options),
        Verb::Lab(options) => tool::run("lab", &[], &options),
        Verb::Vm(options) => vm::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
