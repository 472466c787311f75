//! The verifier's cost of every BPF program on this kernel, against its budget; `cargo xtask verify` runs it.

use std::env;
use std::process::ExitCode;

use ::tests::bytecode::object::Object;
use ::tests::bytecode::stack;
use anyhow::{Context, Result};
use monitor::bpf::{Kernel, OBJECT, Sizes, load};
use monitor::failure::{Failure, RUNTIME, USAGE};
use serde::Serialize;

/// What a figure may be at most, and its name.
struct Limit {
    name: &'static str,
    most: u64,
    of: fn(&Cost) -> Option<u64>,
}

/// The budget: T10, on every kernel. The kernel has a limit of its own for the first and the last: a million, and 512.
const LIMITS: [Limit; 4] = [
    Limit { name: "verified", most: 60_000, of: |cost| cost.verified },
    Limit { name: "translated", most: 900, of: |cost| cost.translated },
    // The JIT is the kernel's: 4096 where its code is at its best, twice that where it adds to every branch.
    Limit { name: "jited_bytes", most: 8192, of: |cost| cost.jited_bytes },
    Limit { name: "stack_bytes", most: 256, of: |cost| Some(cost.stack_bytes) },
];

/// What a program costs; `None` is what this kernel does not say.
#[derive(Serialize)]
struct Cost {
    program: String,
    /// Instructions that the verifier walked.
    verified: Option<u64>,
    /// Instructions of the program as it runs.
    translated: Option<u64>,
    jited_bytes: Option<u64>,
    stack_bytes: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let is_json = arguments == ["--json"];
    if !is_json && !arguments.is_empty() {
        eprintln!("verify: the only argument is --json");
        return ExitCode::from(USAGE);
    }
    match costs() {
        Ok(costs) => show(&costs, is_json),
        Err(error) => {
            let text = format!("{error:#}");
            eprintln!("verify: {}", text.lines().next().unwrap_or_default());
            ExitCode::from(error.downcast_ref::<Failure>().map_or(RUNTIME, |failure| failure.code))
        }
    }
}

fn costs() -> Result<Vec<Cost>> {
    let object = Object::parse(OBJECT)?;
    let sizes = Sizes::new(128, 256, 65_536, load::processors()?);
    let kernel = Kernel::load(&[6081], sizes, load::random_seed()?)?;
    let mut costs = Vec::new();
    // A kernel without packets in several buffers does not have all programs.
    for (name, program) in kernel.programs().filter(|(_, program)| program.fd().is_ok()) {
        let info = program.info().with_context(|| format!("figures of {name}"))?;
        let function = object.functions.iter().find(|function| function.name == name);
        costs.push(Cost {
            program: name.to_owned(),
            verified: info.verified_instruction_count().map(u64::from),
            translated: info.size_translated().map(|bytes| u64::from(bytes) / 8),
            jited_bytes: Some(info.size_jitted()).filter(|bytes| *bytes != 0).map(u64::from),
            stack_bytes: stack::depth(&object, function.with_context(|| format!("{name} is not in the object"))?)?,
        });
    }
    costs.sort_by(|a, b| a.program.cmp(&b.program));
    Ok(costs)
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
    let broken: Vec<String> = costs.iter().flat_map(broken).collect();
    for line in &broken {
        eprintln!("verify: {line}");
    }
    ExitCode::from(if broken.is_empty() && !costs.is_empty() { 0 } else { RUNTIME })
}

fn broken(cost: &Cost) -> Vec<String> {
    let over = LIMITS.iter().filter_map(|limit| Some((limit, (limit.of)(cost)?)));
    over.filter(|(limit, figure)| *figure > limit.most)
        .map(|(limit, figure)| format!("{}: {} is {figure}, at most {}", cost.program, limit.name, limit.most))
        .collect()
}

fn shown(figure: Option<u64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_over_its_budget_is_named() {
        let cost = Cost {
            program: "p".to_owned(),
            verified: Some(60_001),
            translated: Some(901),
            jited_bytes: Some(8193),
            stack_bytes: 257,
        };
        let words = ["p: verified is 60001", "p: translated is 901", "p: jited_bytes is 8193", "p: stack_bytes is 257"];
        let lines = broken(&cost);
        assert_eq!(lines.len(), words.len());
        assert!(lines.iter().zip(words).all(|(line, word)| line.starts_with(word)), "{lines:?}");
    }

    #[test]
    fn figures_at_their_budget_and_figures_that_a_kernel_does_not_say_pass() {
        let cost =
            Cost { program: String::new(), verified: None, translated: Some(900), jited_bytes: None, stack_bytes: 256 };
        assert!(broken(&cost).is_empty());
    }
}
