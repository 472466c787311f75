//! `cargo xtask <verb>`: the project's own commands, one file a verb.
//!
//! This crate depends on nothing of the product, because `setup` has to run before the product can be built.
//! Each verb is an `Options` and a `run`; what several verbs share is in `command`, `rights`, `toolchain` and `binary`.

mod bench;
mod binary;
mod build;
mod command;
mod demo;
mod lab;
mod lint;
mod load;
mod rights;
mod run;
mod setup;
mod test;
mod toolchain;
mod verify;
mod vm;

use std::process::ExitCode;

use clap::Parser;

/// The commands of this project. Each prepares what it needs by itself.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Verb {
    Setup(setup::Options),
    Build(build::Options),
    Run(run::Options),
    Demo(demo::Options),
    Test(test::Options),
    Lint(lint::Options),
    Verify(verify::Options),
    Bench(bench::Options),
    Load(load::Options),
    Lab(lab::Options),
    Vm(vm::Options),
}

fn main() -> ExitCode {
    let result = match Verb::parse() {
        Verb::Setup(options) => setup::run(&options),
        Verb::Build(options) => build::run(&options),
        Verb::Run(options) => run::run(&options),
        Verb::Demo(options) => demo::run(&options),
        Verb::Test(options) => test::run(&options),
        Verb::Lint(options) => lint::run(&options),
        Verb::Verify(options) => verify::run(&options),
        Verb::Bench(options) => bench::run(&options),
        Verb::Load(options) => load::run(&options),
        Verb::Lab(options) => lab::run(&options),
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
