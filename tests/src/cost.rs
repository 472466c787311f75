//! What the verifier says of every BPF program on the running kernel, and the budget for it.

use anyhow::{Context, Result};
use monitor::bpf::{Kernel, OBJECT};
use serde::Serialize;

use crate::bytecode::object::Object;
use crate::bytecode::stack;

/// What a figure may be at most, and its name.
pub struct Limit {
    pub name: &'static str,
    pub most: u64,
    pub of: fn(&Cost) -> Option<u64>,
}

/// The budget: T10, on every kernel. The kernel has a limit of its own for the first and the last: a million, and 512.
pub const LIMITS: [Limit; 4] = [
    Limit { name: "verified", most: 60_000, of: |cost| cost.verified },
    Limit { name: "translated", most: 900, of: |cost| cost.translated },
    // The JIT is the kernel's: 4096 where its code is at its best, twice that where it adds to every branch.
    Limit { name: "jited_bytes", most: 8192, of: |cost| cost.jited_bytes },
    Limit { name: "stack_bytes", most: 256, of: |cost| Some(cost.stack_bytes) },
];

/// What a program costs; `None` is what this kernel does not say.
#[derive(Serialize)]
pub struct Cost {
    pub program: String,
    /// Instructions that the verifier walked.
    pub verified: Option<u64>,
    /// Instructions of the program as it runs.
    pub translated: Option<u64>,
    pub jited_bytes: Option<u64>,
    pub stack_bytes: u64,
}

/// The cost of every program that is loaded, by name.
pub fn costs(kernel: &Kernel) -> Result<Vec<Cost>> {
    let object = Object::parse(OBJECT)?;
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

/// What breaks the budget, a line for each figure.
pub fn broken(cost: &Cost) -> Vec<String> {
    let over = LIMITS.iter().filter_map(|limit| Some((limit, (limit.of)(cost)?)));
    over.filter(|(limit, figure)| *figure > limit.most)
        .map(|(limit, figure)| format!("{}: {} is {figure}, at most {}", cost.program, limit.name, limit.most))
        .collect()
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
