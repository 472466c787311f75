//! Runs `cargo test`, shows its output as it comes, and counts along.

use std::{
    io::{BufRead, BufReader, pipe},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::tally::{SKIP, Tally};
use crate::command::{describe, echo};

/// Runs the command with both of its outputs in one pipe, so that their order stays. True when it succeeded.
pub(super) fn run(mut cargo_test: Command, tally: &mut Tally) -> Result<bool> {
    echo(&cargo_test);
    let shown = describe(&cargo_test);
    let (reader, writer) = pipe().context("cannot make a pipe")?;
    cargo_test.stdout(writer.try_clone().context("cannot share the pipe")?).stderr(writer);
    let mut child = cargo_test.spawn().with_context(|| format!("cannot start `{shown}`"))?;
    // The command holds writing ends of the pipe; while it lives the reader would never see the end.
    drop(cargo_test);
    follow(BufReader::new(reader), tally, None).with_context(|| format!("cannot read from `{shown}`"))?;
    let status = child.wait().with_context(|| format!("cannot wait for `{shown}`"))?;
    tally.close(status.success());
    Ok(status.success())
}

/// Shows and counts every line to the end; skips on another `kernel` say on which.
pub(super) fn follow(mut reader: impl BufRead, tally: &mut Tally, kernel: Option<&str>) -> Result<()> {
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = labelled(&String::from_utf8_lossy(&line), kernel);
        if tally.line(text.trim_end_matches('\n')) {
            print!("{text}");
        }
        line.clear();
    }
    Ok(())
}

fn labelled(line: &str, kernel: Option<&str>) -> String {
    match (line.strip_prefix(SKIP), kernel) {
        (Some(reason), Some(kernel)) => format!("{SKIP} kernel {kernel}:{reason}"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_on_another_kernel_says_on_which() {
        assert_eq!(labelled("SKIPPED: a: b\n", Some("6.1")), "SKIPPED: kernel 6.1: a: b\n");
        assert_eq!(labelled("SKIPPED: a: b\n", None), "SKIPPED: a: b\n");
        assert_eq!(labelled("test a ... ok\n", Some("6.1")), "test a ... ok\n");
    }
}
