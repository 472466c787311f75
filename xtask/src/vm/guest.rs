//! One run of one command in a guest: what it prints comes out here, and its exit code comes back.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    fs::{self, File},
    io::{self, Write},
    os::{fd::AsFd as _, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
    process::{self, Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::kernel::{self, Kernel};
use super::machine;
use crate::command::say;

const STAGE2: &str = include_str!("stage2.sh");
/// Booting takes some 6 s; on a host that does much else, some times that.
const BOOT: Duration = Duration::from_secs(150);
/// For the guest to end by itself after the command's limit.
const GRACE: Duration = Duration::from_secs(30);
/// A guest that dies before the command has begun says nothing about the command.
const TRIES: u32 = 3;
const POLL: Duration = Duration::from_millis(50);
/// The exit code of a command whose time is up (stage2.sh).
pub(crate) const LATE: i32 = 124;
/// The exit code for a guest that died with the command.
const DIED: i32 = 125;

/// Where the command's output goes.
pub(crate) struct Sink {
    pub(crate) out: Box<dyn Write + Send>,
    pub(crate) err: Box<dyn Write + Send>,
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Ending {
    release: String,
    /// The command's exit code; 124 when its time was up, 125 when the guest died.
    pub(crate) code: i32,
    boot_seconds: f64,
    whole: Duration,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { release, code, boot_seconds, whole } = self;
        let whole = whole.as_secs_f64();
        write!(f, "kernel {release}: exit code {code}, booted in {boot_seconds:.1} s, {whole:.1} s in all")
    }
}

/// Boots `kernel`, runs `command` as root in this folder and with this PATH, for `limit` at most.
pub(crate) fn run(kernel: &Kernel, command: &[OsString], limit: Duration, mut sink: Sink) -> Result<Ending> {
    let begun = Instant::now();
    for attempt in 1..=TRIES {
        let folder = Folder::create()?;
        folder.fill(kernel, command, limit)?;
        let end = attempt_run(kernel, &folder, limit, &mut sink)?;
        let (release, whole) = (kernel.release.clone(), begun.elapsed());
        match folder.result() {
            (Some(boot_seconds), Some(code)) => {
                if code == LATE {
                    say(&format!("kernel {release}: the time is up; the end of its console:\n{}", folder.console()));
                }
                return Ok(Ending { release, code, boot_seconds, whole });
            }
            (boot, _) => {
                say(&format!("kernel {release}: {end}; the end of its console:\n{}", folder.console()));
                if let Some(boot_seconds) = boot {
                    return Ok(Ending { release, code: DIED, boot_seconds, whole });
                }
                say(&format!("kernel {release}: attempt {attempt} of {TRIES} did not come to the command"));
            }
        }
    }
    bail!("kernel {} does not boot here", kernel.release)
}

/// Runs QEMU to its end and tells why it ended.
fn attempt_run(kernel: &Kernel, folder: &Folder, limit: Duration, sink: &mut Sink) -> Result<String> {
    let (mut from_out, to_out) = io::pipe().context("cannot make a pipe")?;
    let (mut from_err, to_err) = io::pipe().context("cannot make a pipe")?;
    let mut qemu = machine::qemu(kernel, &folder.0, [to_out.as_fd(), to_err.as_fd()])?;
    // Apart from the command's words.
    let own = File::create(folder.0.join("qemu")).context("cannot create QEMU's log")?;
    let mut child =
        qemu.stdin(Stdio::null()).stdout(own.try_clone()?).stderr(own).spawn().context("cannot start QEMU")?;
    thread::scope(|scope| {
        let Sink { out, err } = sink;
        scope.spawn(move || io::copy(&mut from_out, out));
        scope.spawn(move || io::copy(&mut from_err, err));
        let end = watch(&mut child, folder, limit);
        // The readers' end of file comes when nobody can write any more.
        drop((to_out, to_err));
        end
    })
}

fn watch(child: &mut Child, folder: &Folder, limit: Duration) -> Result<String> {
    let (begun, mut started) = (Instant::now(), None);
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for QEMU")? {
            return Ok(format!("the guest ended without a result ({status})"));
        }
        if started.is_none() && folder.result().0.is_some() {
            started = Some(Instant::now());
        }
        let late = match started {
            None => (begun.elapsed() > BOOT).then_some("the guest did not come to the command"),
            Some(started) => (started.elapsed() > limit + GRACE).then_some("the guest stands still"),
        };
        if let Some(late) = late {
            child.kill().context("cannot end QEMU")?;
            child.wait().context("cannot wait for QEMU")?;
            return Ok(late.to_owned());
        }
        thread::sleep(POLL);
    }
}

/// What a guest reads and writes: scripts, console, result. Goes away with this.
struct Folder(PathBuf);

impl Folder {
    fn create() -> Result<Self> {
        let runs = kernel::cache()?.join("run");
        fs::create_dir_all(&runs).with_context(|| format!("cannot create {}", runs.display()))?;
        sweep(&runs);
        let folder = runs.join(process::id().to_string());
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self(folder))
    }

    fn fill(&self, kernel: &Kernel, command: &[OsString], limit: Duration) -> Result<()> {
        let guest =
            format!("RELEASE='{}'\nKERNEL='{}'\nLIMIT={}\n", kernel.release, kernel.folder.display(), limit.as_secs());
        let files = [("stage2.sh", STAGE2.into()), ("guest.sh", guest.into_bytes()), ("command.sh", script(command)?)];
        for (name, content) in files {
            fs::write(self.0.join(name), content).with_context(|| format!("cannot write {name}"))?;
        }
        Ok(())
    }

    /// When the command began, in seconds after the boot, and its exit code, as far as the guest has come.
    fn result(&self) -> (Option<f64>, Option<i32>) {
        let text = fs::read_to_string(self.0.join("result")).unwrap_or_default();
        let word =
            |line: &str| text.lines().find_map(|found| found.strip_prefix(line)?.split(' ').next().map(str::to_owned));
        let parsed = word("start ").and_then(|up| up.parse().ok());
        // Only a whole line counts.
        let code = word("end ").filter(|_| text.ends_with('\n')).and_then(|code| code.parse().ok());
        (parsed, code)
    }

    fn console(&self) -> String {
        let text = ["qemu", "console"].map(|name| fs::read(self.0.join(name)).unwrap_or_default()).concat();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(100)..].join("\n")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays is swept by the next run.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes what runs left that were killed.
fn sweep(runs: &Path) {
    for entry in fs::read_dir(runs).into_iter().flatten().flatten() {
        if !Path::new("/proc").join(entry.file_name()).exists() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The command as a script, in this folder and with the variables that matter.
fn script(command: &[OsString]) -> Result<Vec<u8>> {
    let mut script = Vec::new();
    for (name, value) in env::vars_os().filter(|(name, _)| is_passed(name)) {
        script.extend([b"export ", name.as_bytes(), b"=", &quote(&value), b"\n"].concat());
    }
    let here = env::current_dir().context("cannot tell this folder")?;
    script.extend([b"cd ", &*quote(here.as_os_str()), b" || exit 126\nexec"].concat());
    for word in command {
        script.extend([b" ", &*quote(word)].concat());
    }
    script.push(b'\n');
    Ok(script)
}

fn is_passed(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["PATH", "HOME", "LANG", "TERM"].contains(&&*name)
        || ["TUNMON_", "RUST_"].iter().any(|start| name.starts_with(start))
}

fn quote(word: &OsStr) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for byte in word.as_bytes() {
        match byte {
            b'\'' => quoted.extend(br"'\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_guest_as_they_are() {
        let script = String::from_utf8(script(&["echo".into(), "it's $HOME".into()]).unwrap()).unwrap();
        assert!(script.ends_with("exec 'echo' 'it'\\''s $HOME'\n"), "{script}");
    }

    #[test]
    fn only_variables_that_matter_are_passed() {
        assert!(is_passed("PATH".as_ref()) && is_passed("TUNMON_BIN".as_ref()) && is_passed("RUST_BACKTRACE".as_ref()));
        assert!(!is_passed("LD_PRELOAD".as_ref()) && !is_passed("CARGO_TARGET_DIR".as_ref()));
    }

    #[test]
    fn a_result_is_known_when_its_line_is_whole() {
        let folder = Folder(env::temp_dir().join(format!("tunmon-result-{}", process::id())));
        fs::create_dir(&folder.0).unwrap();
        let mut results = Vec::new();
        for text in ["", "start 5.25\n", "start 5.25\nend 1", "start 5.25\nend 12 6.00\n"] {
            fs::write(folder.0.join("result"), text).unwrap();
            results.push(folder.result());
        }
        assert_eq!(results, [(None, None), (Some(5.25), None), (Some(5.25), None), (Some(5.25), Some(12))]);
    }
}
