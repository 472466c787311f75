//! `tunmon detach`: removes what pins keep attached and what killed runs have left, and proves it.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::Result;
use serde::Serialize;

use crate::bpf::{Pins, residue};
use crate::cli::{Cli, PINS};
use crate::failure::{Failure, is_privileged};
use crate::output::Printer;

/// Schema of the record.
const DETACH: &str = "tunmon.detach/v1";
/// The kernel frees programs a moment after their last holder has gone.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was removed, and what was not.
#[derive(Serialize)]
struct Detached {
    /// Names of the pins.
    pins: Vec<String>,
    /// Filters in clsact, as `device name priority`.
    filters: Vec<String>,
    /// Programs that a running tunmon has.
    running: Vec<Running>,
    /// Programs that are there and nobody is known to have.
    left: Vec<Program>,
}

/// A process that has programs.
#[derive(Serialize)]
struct Running {
    pid: u32,
    programs: usize,
}

/// A program.
#[derive(Serialize)]
struct Program {
    id: u32,
    name: String,
}

/// Removes everything and tells.
pub(crate) fn run(cli: &Cli) -> Result<()> {
    if !is_privileged() {
        return Err(Failure::privilege().into());
    }
    let directory = cli.pin.as_deref().unwrap_or(Path::new(PINS));
    let (pins, qdiscs) = match directory.exists() {
        true => {
            let mut pins = Pins::open(directory)?;
            let qdiscs = pins.qdiscs();
            (pins.remove_all()?, qdiscs)
        }
        false => Default::default(),
    };
    let filters = residue::sweep(&qdiscs)?;
    let (running, left) = await_end();
    let detached = Detached { pins, filters, running, left };
    let mut printer = Printer::new(cli.common.output);
    printer.text(&text(&detached, directory))?;
    printer.record(DETACH, &detached)?;
    if detached.left.is_empty() {
        return Ok(());
    }
    let cause = format!("{} programs of tunmon are still there", detached.left.len());
    Err(Failure::runtime(cause, "pins in another directory? tunmon detach --pin=DIR").into())
}

/// The programs that are still there when there are none, or after a while.
fn await_end() -> (Vec<Running>, Vec<Program>) {
    let end = Instant::now() + PATIENCE;
    loop {
        let (mut left, mut running) = (residue::programs(), Vec::new());
        for (pid, held) in residue::holders() {
            let before = left.len();
            left.retain(|(id, _)| !held.contains(id));
            if left.len() < before {
                running.push(Running { pid, programs: before - left.len() });
            }
        }
        if left.is_empty() || Instant::now() > end {
            return (running, left.into_iter().map(|(id, name)| Program { id, name }).collect());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn text(detached: &Detached, directory: &Path) -> String {
    let mut text = match detached.pins.as_slice() {
        [] => format!("no pins in {}\n", directory.display()),
        pins => format!("removed {} pins in {}: {}\n", pins.len(), directory.display(), pins.join(" ")),
    };
    for filter in &detached.filters {
        text += &format!("removed the filter {filter}\n");
    }
    for running in &detached.running {
        let name = fs::read_to_string(format!("/proc/{}/comm", running.pid)).unwrap_or_default();
        text += &format!("kept {} programs of {} (pid {}), which runs\n", running.programs, name.trim(), running.pid);
    }
    for program in &detached.left {
        text += &format!("still there: {} (program {})\n", program.name, program.id);
    }
    if detached.left.is_empty() {
        text += "nothing else of tunmon is in the kernel\n";
    }
    text
}
