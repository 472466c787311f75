//! The kernel suite on stock kernels: the test programs that were built here, run in a virtual machine for each.
//!
//! A kernel that cannot be had or booted here is a skip, said and counted; it says nothing about the code.

use std::{
    ffi::OsString,
    io::{BufReader, pipe},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use super::{output, tally::Tally};
use crate::{
    command::{command, describe, say, workspace},
    vm::{self, Kernel, SERIES, Sink},
};

/// The test programs that make up the suite.
const SUITE: [&str; 2] = ["kernel", "life"];
/// Tests of theirs for which it makes no difference which kernel it is.
const SAME_ANYWHERE: [&str; 15] = [
    // Takes minutes where processors are emulated: `cargo xtask vm 6.1` runs it by name.
    "black_hole",
    "a_storm",
    "a_pattern",
    "a_renamed",
    "the_run_ends",
    "another_xdp_program_is_named",
    "native_xdp_is_taken",
    "events_that_nobody_has_read",
    "with_other_bounds",
    "pins_are_kept",
    "made_anew_meanwhile",
    "killed_runs_leave_their_counts",
    "behind_generic_xdp",
    "a_device_in_another_namespace",
    "somebody_detached",
];
/// Runs a program, and ends it when a test stands still.
const PATIENT: &str = include_str!("patient.sh");
/// Seconds after which a test is thought to stand still; the longest takes 70 s on two processors.
const QUIET: &str = "200";
/// For a program; the longest takes 6 minutes on two processors.
const LIMIT: Duration = Duration::from_secs(900);

/// The kernels that a choice means: without one the floor, where most is missing, but none for a part of the tests.
pub(super) fn chosen(choice: Option<&[String]>, filter: Option<&str>) -> Vec<String> {
    match choice {
        None if filter.is_some() => Vec::new(),
        None => vec![SERIES[0].to_owned()],
        Some(names) => vm::series(names).into_iter().filter(|name| name != "none").collect(),
    }
}

/// Runs the suite on each; true when all that ran succeeded.
pub(super) fn run(kernels: &[String], filter: Option<&str>, tally: &mut Tally) -> Result<bool> {
    let mut success = true;
    let Some(first) = kernels.first() else { return Ok(success) };
    if let Some(reason) = vm::missing() {
        tally.line(&format!("SKIPPED: kernel {first} and all others: {reason}"));
        return Ok(success);
    }
    let programs = programs()?;
    for series in kernels {
        match Kernel::get(series, false) {
            Ok(kernel) => {
                say(&format!("the kernel suite on {}, in a virtual machine", kernel.release));
                for program in &programs {
                    let is_good = patient(|| on(series, &kernel, &arguments(program, filter), tally))?;
                    tally.close(is_good);
                    success &= is_good;
                }
            }
            Err(error) => {
                let reason = format!("{error:#}").replace('\n', " ");
                say(&format!("kernel {series} is not to be had, so nothing is proved on it"));
                tally.line(&format!("SKIPPED: kernel {series}: {reason}"));
            }
        }
    }
    Ok(success)
}

/// Runs a program, and once more if one of its tests stood still. On 5.10 a test of `disturbance` did so twice; 35 runs that
/// were to show why did not do it again. What stood where is on the console then, for whoever looks further. A program that
/// stands still again has failed.
fn patient(mut run: impl FnMut() -> Result<i32>) -> Result<bool> {
    let mut code = run()?;
    if code == vm::LATE {
        say("STOOD STILL: the program runs once more, in a new machine");
        code = run()?;
    }
    Ok(code == 0)
}

/// Runs a program; returns its exit code.
fn on(series: &str, kernel: &Kernel, command: &[OsString], tally: &mut Tally) -> Result<i32> {
    let (reader, writer) = pipe().context("cannot make a pipe")?;
    let sink = Sink { out: Box::new(writer.try_clone().context("cannot share the pipe")?), err: Box::new(writer) };
    let ending = thread::scope(|scope| {
        // It has the pipe's writing ends, and the reader's end of file is its end.
        let guest = scope.spawn(|| vm::run_guest(kernel, command, LIMIT, sink));
        output::follow(BufReader::new(reader), tally, Some(series)).context("cannot read from the virtual machine")?;
        guest.join().map_err(|_| anyhow::anyhow!("the virtual machine's thread ended by a panic"))?
    })?;
    say(&ending.to_string());
    Ok(ending.code)
}

/// The guest's command line for a test program.
fn arguments(program: &Path, filter: Option<&str>) -> Vec<OsString> {
    let mut words = ["sh", "-c", PATIENT, "sh", QUIET].map(OsString::from).to_vec();
    words.push(program.into());
    words.extend(["--test-threads=1", "--show-output"].map(OsString::from));
    words.extend(filter.map(OsString::from));
    words.extend(SAME_ANYWHERE.iter().flat_map(|name| ["--skip", name]).map(OsString::from));
    words
}

/// The suite's programs, by the words of cargo, which built them a moment ago.
fn programs() -> Result<Vec<PathBuf>> {
    let mut build = command("cargo", ["test", "--no-run", "--color", "never"]);
    let output = build.output().with_context(|| format!("cannot start `{}`", describe(&build)))?;
    ensure!(output.status.success(), "`{}` failed ({})", describe(&build), output.status);
    let said = String::from_utf8_lossy(&output.stderr);
    let path = |name| executable(&said, name).with_context(|| format!("cargo built no test program {name}"));
    SUITE.into_iter().map(|name| Ok(workspace().join(path(name)?))).collect()
}

/// `Executable tests/kernel.rs (target/debug/deps/kernel-0123)`
fn executable(text: &str, name: &str) -> Option<PathBuf> {
    let start = format!("Executable tests/{name}.rs (");
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(start.as_str()))?;
    line.strip_suffix(')').map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_choice_the_floor_is_taken_and_nothing_for_a_part() {
        assert_eq!(chosen(None, None), ["5.10"]);
        assert!(chosen(None, Some("geneve")).is_empty());
    }

    #[test]
    fn a_choice_counts_for_a_part_too() {
        let names = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(chosen(Some(&names("all")), Some("geneve")), SERIES);
        assert_eq!(chosen(Some(&names("6.1,6.12")), None), ["6.1", "6.12"]);
        assert!(chosen(Some(&names("none")), None).is_empty());
    }

    #[test]
    fn a_program_that_stands_still_has_a_second_chance_and_no_other() {
        let run = |codes: &[i32]| {
            let mut left = codes.iter();
            let is_good = patient(|| Ok(*left.next().unwrap())).unwrap();
            (is_good, left.len())
        };
        assert_eq!(run(&[0, 1]), (true, 1));
        assert_eq!(run(&[vm::LATE, 0]), (true, 0));
        assert_eq!(run(&[vm::LATE, vm::LATE, 0]), (false, 1));
        assert_eq!(run(&[1, 0]), (false, 1));
    }

    #[test]
    fn cargo_names_the_program() {
        let text = "   Compiling tests\n  Executable unittests src/lib.rs (target/debug/deps/tests-12)\n  \
                    Executable tests/kernel.rs (target/debug/deps/kernel-34)\n";
        assert_eq!(executable(text, "kernel"), Some("target/debug/deps/kernel-34".into()));
        assert_eq!((executable(text, "life"), executable("nothing", "kernel")), (None, None));
    }
}
