//! Running other programs: each is shown before it runs, and its failure carries its command line.
//!
//! What steps print goes to stderr, so that the stdout of `demo -o json` and `verify --json` is data only.

use std::{
    ffi::OsStr,
    io::{IsTerminal as _, stderr},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// The top folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask is a folder of the workspace")
}

/// A command that runs in the workspace's top folder.
pub(crate) fn command<I, S>(program: impl AsRef<OsStr>, arguments: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace());
    command
}

/// Tells the person at the terminal one thing.
pub(crate) fn say(text: &str) {
    eprintln!("xtask: {text}");
}

/// Shows a command, runs it to its end, and fails with its command line.
pub(crate) fn step(mut command: Command) -> Result<()> {
    echo(&command);
    let shown = describe(&command);
    let status = command.stdout(Stdio::from(stderr())).status().with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// Runs a command unseen and returns what it printed.
pub(crate) fn capture(mut command: Command) -> Result<String> {
    let shown = describe(&command);
    let output = command.output().with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` failed ({}): {}", output.status, reason.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed what is not text"))
}

/// Becomes the command: signals reach it and its exit code is ours, because nothing stands between. Returns only on failure.
pub(crate) fn replace_with(mut command: Command) -> Result<()> {
    echo(&command);
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start `{}`", describe(&command)))
}

/// Shows a command as a dim `$ …` line.
pub(crate) fn echo(command: &Command) {
    let shown = describe(command);
    if stderr().is_terminal() {
        eprintln!("\x1b[2m$ {shown}\x1b[0m");
    } else {
        eprintln!("$ {shown}");
    }
}

/// The command line as a person would type it from the top folder; a script argument is cut to its first line.
pub(crate) fn describe(command: &Command) -> String {
    let here = format!("{}/", workspace().display());
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let shown = words.map(|word| quote(&word.to_string_lossy().replace(&here, "")));
    shown.collect::<Vec<_>>().join(" ")
}

fn quote(word: &str) -> String {
    let first = word.lines().next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=+:,@%".contains(c);
    if word.contains('\n') {
        format!("'{} …'", first.trim_start_matches("# "))
    } else if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_shown_as_typed() {
        let shown = describe(&command("cargo", ["test", "a b", "", "--x=1", "c'd"]));
        assert_eq!(shown, r"cargo test 'a b' '' --x=1 'c'\''d'");
    }

    #[test]
    fn paths_in_the_workspace_are_shown_from_its_top() {
        let shown = describe(&command(workspace().join("target/release/tunmon"), ["demo"]));
        assert_eq!(shown, "target/release/tunmon demo");
    }

    #[test]
    fn scripts_are_shown_by_their_first_line() {
        assert_eq!(describe(&command("sh", ["-c", "set -e\nexit 1\n"])), "sh -c 'set -e …'");
    }

    #[test]
    fn failure_names_the_command_and_its_reason() {
        let error = capture(command("sh", ["-c", "echo no >&2; exit 3"])).unwrap_err().to_string();
        assert!(error.contains("echo no") && error.contains("exit status: 3") && error.ends_with("no"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = step(command("tunmon-no-such-program", [""; 0])).unwrap_err().to_string();
        assert!(error.contains("cannot start `tunmon-no-such-program`"), "{error}");
    }
}
