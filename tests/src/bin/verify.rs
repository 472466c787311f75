//! The verifier's cost of every BPF program on this kernel, against its budget; `cargo xtask verify` runs it.

use std::env;
use std::process::ExitCode;

use ::tests::cost::{self, Cost, LIMITS};
use anyhow::Result;
use monitor::bpf::{Kernel, Sizes, load};
use monitor::failure::{Failure, RUNTIME, USAGE};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let is_json = arguments == ["--json"];
    if !is_json && !arguments.is_empty() {
        eprintln!("verify: the only argument is --json");
        return ExitCode::from(USAGE);
    }
    match loaded() {
        Ok(costs) => show(&costs, is_json),
        Err(error) => {
            let text = format!("{error:#}");
            eprintln!("verify: {}", text.lines().next().unwrap_or_default());
            ExitCode::from(error.downcast_ref::<Failure>().map_or(RUNTIME, |failure| failure.code))
        }
    }
}

fn loaded() -> Result<Vec<Cost>> {
    let sizes = Sizes::new(128, 256, 65_536, load::processors()?);
    cost::costs(&Kernel::load(&[6081], sizes, load::random_seed()?)?)
}

/// Prints the figures, and on the other channel what breaks the budget.
fn show(costs: &[Cost], is_json: bool) -> ExitCode {
    if !is_json {
        println!("{:<16}{:>10}{:>12}{:>13}{:>13}", "program", "verified", "translated", "jited bytes", "stack bytes");
    }
    for cost in costs {
        if is_json {
            println!("{}", serde_json::to_string(cost).unwrap_or_default());
        } else {
            let [verified, translated, jited, stack] = LIMITS.map(|limit| shown((limit.of)(cost)));
            println!("{:<16}{verified:>10}{translated:>12}{jited:>13}{stack:>13}", cost.program);
        }
    }
    if !is_json {
        let limits = LIMITS.map(|limit| limit.most);
        println!("{:<16}{:>10}{:>12}{:>13}{:>13}", "at most", limits[0], limits[1], limits[2], limits[3]);
    }
    let broken: Vec<String> = costs.iter().flat_map(cost::broken).collect();
    for line in &broken {
        eprintln!("verify: {line}");
    }
    ExitCode::from(if broken.is_empty() && !costs.is_empty() { 0 } else { RUNTIME })
}

fn shown(figure: Option<u64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string())
}
