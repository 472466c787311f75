//! What each path through the programs costs in instructions and calls of helpers, against `instructions.budget`.
//!
//! The programs run in an interpreter, so the figures are the same on every machine, and no privileges are needed. A
//! change that costs more fails here until somebody writes the new figure into the budget; so does one that costs less.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

#[path = "instructions/budget.rs"]
mod budget;
#[path = "instructions/paths.rs"]
mod paths;

use monitor::bpf::{OBJECT, Sizes};
use monitor_common::histogram::RESERVED;
use monitor_common::wire::geneve::Ports;
use tests::bench::case::Hook;
use tests::bytecode::interpreter::image::Image;
use tests::bytecode::interpreter::{Kind, Machine, Run};

use budget::{Budget, Cost};
use paths::{Path, paths};

const BUDGET: &str = include_str!("../instructions.budget");
/// Where slots and buckets lie depends on the seed, and with it a few instructions.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// A machine with the settings, sizes and programs that user space gives to the kernel.
fn machine() -> Machine {
    let sizes = Sizes::new(128, 256, 65_536, 2);
    let mut machine = Machine::new(Image::parse(OBJECT).unwrap()).unwrap();
    machine.set("PORTS", &Ports::new(&[6081]).0.to_le_bytes()).unwrap();
    machine.set("SEED", &SEED.to_le_bytes()).unwrap();
    machine.set("FLOW_SEED", &SEED.to_le_bytes()).unwrap();
    machine.set("FIRST_PORT", &6081_u16.to_be_bytes()).unwrap();
    machine.set("PAIR_MASK", &(sizes.tunnels / 2 - 1).to_le_bytes()).unwrap();
    machine.set("HISTOGRAMS_MAX", &sizes.histograms.to_le_bytes()).unwrap();
    machine.set("FLOW_MASK", &(sizes.buckets - 1).to_le_bytes()).unwrap();
    for map in ["TUNNELS", "CLAIMS"] {
        machine.resize(map, sizes.tunnels).unwrap();
    }
    machine.resize("COUNTERS", sizes.tunnels / 2).unwrap();
    machine.resize("HISTOGRAMS", RESERVED + sizes.histograms).unwrap();
    machine.resize("FLOWS", sizes.buckets).unwrap();
    for (steps, first, rest) in [("XDP_STEPS", 'x', 'x'), ("TC_STEPS", 'r', 't')] {
        machine.chain(steps, 0, &format!("tunmon_outer_{first}")).unwrap();
        machine.chain(steps, 6, &format!("tunmon_v6_{first}")).unwrap();
        for (index, step) in [(1, "inner"), (2, "acct"), (3, "rtt"), (4, "report"), (8, "match")] {
            machine.chain(steps, index, &format!("tunmon_{step}_{rest}")).unwrap();
        }
    }
    machine.chain("TC_STEPS", 5, "tunmon_outer_t").unwrap();
    machine.chain("TC_STEPS", 7, "tunmon_v6_t").unwrap();
    machine
}

/// The last run of a path's packets at a hook; it finds the rings full or not.
fn run(path: &Path, hook: Hook, rings_are_full: bool) -> Run {
    let kind = match hook {
        Hook::Xdp => Kind::Xdp,
        Hook::Tc => Kind::Classifier,
    };
    let mut machine = machine();
    let pass = |machine: &mut Machine, frame: &[u8]| {
        machine.now_ns += path.gap_ns;
        let run = machine.run(hook.program(), kind, frame).unwrap();
        assert_eq!(run.verdict, hook.verdict(), "{} at {}", path.id, hook.name());
        run
    };
    for frame in &path.before {
        pass(&mut machine, frame);
    }
    machine.rings_are_full = rings_are_full;
    pass(&mut machine, &path.frame)
}

#[test]
fn every_path_costs_what_the_budget_says() {
    let mut budget: Budget = budget::read(BUDGET);
    let mut faults = Vec::new();
    println!("{:<20} {:<9} insns lookups others", "path", "hook");
    for hook in Hook::ALL {
        for path in paths() {
            let cost = Cost::of(&run(&path, hook, false));
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
            let (sent, refused) = (run(&path, hook, false), run(&path, hook, true));
            let submitted = sent.helpers.get("ringbuf_submit").copied().unwrap_or(0);
            events += submitted;
            let mut helpers = sent.helpers.clone();
            helpers.remove("ringbuf_submit");
            assert_eq!(refused.helpers, helpers, "{} at {}", path.id, hook.name());
            let is_less = refused.instructions < sent.instructions;
            assert!(is_less == (submitted != 0), "{} at {}: {sent:?}, {refused:?}", path.id, hook.name());
        }
    }
    assert_eq!(events, 2 * 4, "samples by timestamp and echo, a fragment, an ICMP error, at two hooks");
}
