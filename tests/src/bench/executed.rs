//! What a path executes, counted by the interpreter: the same on every machine.

use anyhow::{Result, ensure};
use monitor::bpf::{OBJECT, Sizes};
use monitor_common::histogram::RESERVED;
use monitor_common::wire::geneve::Ports;

use super::case::{Hook, Path};
use super::shape::{self, Shape};
use crate::bytecode::interpreter::image::Image;
use crate::bytecode::interpreter::{Kind, LOOK_UP, Machine, Run};

/// Where slots and buckets lie depends on the seed, and with it a few instructions.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Packets before the one that is counted: so many that events are held back where they would be in a burst.
const BEFORE: u32 = 20;
/// Time between packets, as in a burst, and where each packet is to be reported.
const GAP_NS: u64 = 100;
const GAP_OF_EVENTS_NS: u64 = 1_000_000_000;

/// What a packet executes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// Instructions of the bytecode as compiled.
    pub instructions: u64,
    /// Calls of `bpf_map_lookup_elem`: in an array they are no calls in the kernel, but inline.
    pub look_ups: u64,
    /// Calls of all other helpers.
    pub helper_calls: u64,
}

impl Executed {
    /// What the last of the path's packets executes, after so many of them that nothing is new.
    pub fn of(path: &Path, hook: Hook) -> Result<Self> {
        let frame = |pass| if path.drive.is_some() { shape::talk(Shape::Plain, pass) } else { path.frame.clone() };
        let gap_ns = if path.reports() { GAP_OF_EVENTS_NS } else { GAP_NS };
        let frames: Vec<Vec<u8>> = (0..=BEFORE).map(frame).collect();
        let run = run(&frames, gap_ns, hook)?;
        let look_ups = run.helpers.get(LOOK_UP).copied().unwrap_or(0);
        let calls: u64 = run.helpers.values().sum();
        Ok(Self { instructions: run.instructions, look_ups, helper_calls: calls - look_ups })
    }
}

/// The last run of these packets at a hook, `gap_ns` apart, on a machine of their own.
pub fn run(frames: &[Vec<u8>], gap_ns: u64, hook: Hook) -> Result<Run> {
    run_last(frames, gap_ns, hook, false)
}

/// The same, where the last packet finds the rings full or not.
pub fn run_last(frames: &[Vec<u8>], gap_ns: u64, hook: Hook, rings_are_full: bool) -> Result<Run> {
    let kind = match hook {
        Hook::Xdp => Kind::Xdp,
        Hook::Tc => Kind::Classifier,
    };
    let (mut machine, mut run) = (machine()?, Run::default());
    for (number, frame) in frames.iter().enumerate() {
        machine.now_ns += gap_ns;
        machine.rings_are_full = rings_are_full && number + 1 == frames.len();
        run = machine.run(hook.program(), kind, frame)?;
        ensure!(run.verdict == hook.verdict(), "{} returned {}", hook.program(), run.verdict);
    }
    Ok(run)
}

/// A machine with the settings, sizes and programs that user space gives to the kernel.
fn machine() -> Result<Machine> {
    let sizes = Sizes::new(128, 256, 65_536, 2);
    let mut machine = Machine::new(Image::parse(OBJECT)?)?;
    machine.set("PORTS", &Ports::new(&[6081]).0.to_le_bytes())?;
    machine.set("SEED", &SEED.to_le_bytes())?;
    machine.set("FLOW_SEED", &SEED.to_le_bytes())?;
    machine.set("FIRST_PORT", &6081_u16.to_be_bytes())?;
    machine.set("PAIR_MASK", &(sizes.tunnels / 2 - 1).to_le_bytes())?;
    machine.set("HISTOGRAMS_MAX", &sizes.histograms.to_le_bytes())?;
    machine.set("FLOW_MASK", &(sizes.buckets - 1).to_le_bytes())?;
    for (map, entries) in [
        ("TUNNELS", sizes.tunnels),
        ("CLAIMS", sizes.tunnels),
        ("COUNTERS", sizes.tunnels / 2),
        ("HISTOGRAMS", RESERVED + sizes.histograms),
    ] {
        machine.resize(map, entries)?;
    }
    machine.resize("FLOWS", sizes.buckets)?;
    for (steps, first, rest) in [("XDP_STEPS", 'x', 'x'), ("TC_STEPS", 'r', 't')] {
        machine.chain(steps, 0, &format!("tunmon_outer_{first}"))?;
        machine.chain(steps, 6, &format!("tunmon_v6_{first}"))?;
        for (index, step) in
            [(1, "inner"), (2, "acct"), (3, "rtt"), (4, "report"), (8, "match"), (9, "loss"), (10, "flow")]
        {
            machine.chain(steps, index, &format!("tunmon_{step}_{rest}"))?;
        }
    }
    machine.chain("TC_STEPS", 5, "tunmon_outer_t")?;
    machine.chain("TC_STEPS", 7, "tunmon_v6_t")?;
    Ok(machine)
}
