//! What each path through the programs costs in instructions and calls of helpers, against `instructions.budget`.
//!
//! The programs run in an interpreter, so the figures are the same on every machine, and no privileges are needed. A
//! change that costs more fails here until somebody writes the new figure into the budget; so does one that costs less.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

#[path = "instructions/budget.rs"]
mod budget;
#[path = "instructions/paths.rs"]
mod paths;

use tests::bench::case::Hook;
use tests::bench::executed;

use budget::{Budget, Cost};
use paths::paths;

const BUDGET: &str = include_str!("../instructions.budget");

#[test]
fn every_path_costs_what_the_budget_says() {
    let mut budget: Budget = budget::read(BUDGET);
    let mut faults = Vec::new();
    println!("{:<20} {:<9} insns lookups others", "path", "hook");
    for hook in Hook::ALL {
        for path in paths() {
            let frames = [&path.before[..], std::slice::from_ref(&path.frame)].concat();
            let cost = Cost::of(&executed::run(&frames, path.gap_ns, hook).unwrap());
            let target = match path.target {
                Some(target) if cost.instructions > target => format!("  # target {target}"),
                _ => String::new(),
            };
            println!("{:<20} {:<9} {cost}{target}", path.id, hook.name());
            let line = budget.remove(&(path.id.to_owned(), hook.name().to_owned()));
            faults.extend(cost.against(line.as_ref()).map(|fault| format!("{} {} {fault}", path.id, hook.name())));
        }
    }
    faults.extend(budget.keys().map(|(path, hook)| format!("{path} {hook} is no path")));
    assert!(faults.is_empty(), "instructions.budget says otherwise:\n{}", faults.join("\n"));
}

/// A reader that stands still costs a packet no more than a failed reserve; and no event ever wakes the reader, which
/// the interpreter takes for an error.
#[test]
fn a_full_ring_costs_less_than_an_event() {
    let mut events = 0;
    for hook in Hook::ALL {
        for path in paths() {
            let frames = [&path.before[..], std::slice::from_ref(&path.frame)].concat();
            let run = |is_full| executed::run_last(&frames, path.gap_ns, hook, is_full).unwrap();
            let (sent, refused) = (run(false), run(true));
            let submitted = sent.helpers.get("ringbuf_submit").copied().unwrap_or(0);
            events += submitted;
            let mut helpers = sent.helpers.clone();
            helpers.remove("ringbuf_submit");
            assert_eq!(refused.helpers, helpers, "{} at {}", path.id, hook.name());
            let is_less = refused.instructions < sent.instructions;
            assert!(is_less == (submitted != 0), "{} at {}: {sent:?}, {refused:?}", path.id, hook.name());
        }
    }
    assert_eq!(events, 2 * 5, "samples by timestamp and echo, two fragments, an ICMP error, at two hooks");
}
