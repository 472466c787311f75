//! Child processes that never outlive their owner.
//!
//! A [`Process`] is killed when it is dropped. Should the owner itself be killed, the kernel does it
//! (`PR_SET_PDEATHSIG`). That signal follows the *thread* that spawned the child, so a child that is to live as long as a
//! test is spawned by the test's own thread, never by a helper thread that ends earlier.
//! A child that has not been waited for keeps its pid, so signals here cannot reach a stranger.
//!
//! Until a child has begun its program it holds a copy of every descriptor of the thread that spawns it. So what has to be
//! gone for the kernel as soon as it is closed belongs to a thread with [`own_descriptors`].

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::wait;

/// What runs to its end takes seconds, and some times that where processors are emulated.
const PATIENCE: Duration = Duration::from_secs(200);

/// A running child: its own process group, killed on drop.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts `command`; standard streams are as the caller set them.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let name = describe(command);
        let child = tie(command).spawn().with_context(|| format!("cannot start `{name}`"))?;
        Ok(Self { child, name })
    }

    /// The standard output, once, if it was piped.
    pub fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal`; an error if the process has ended already.
    pub fn signal(&mut self, signal: i32) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("`{}` has ended already ({status})", self.name);
        }
        let pid = i32::try_from(self.child.id()).context("pid out of range")?;
        // SAFETY: kill reads no memory; the pid is our child's, which has not been waited for.
        let result = unsafe { libc::kill(pid, signal) };
        ensure!(result == 0, "cannot signal `{}`: {}", self.name, io::Error::last_os_error());
        Ok(())
    }

    /// The exit status, if it has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Where it waits in the kernel, if it does; empty where that is not to be had.
    fn standing(&self) -> String {
        let said = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", self.pid())).unwrap_or_default();
        let place = [said("stack"), said("syscall")].concat().replace('\n', "; ");
        format!("`{}` has not ended and stands at {place}", self.name)
    }

    /// Waits for the end.
    pub fn wait(&mut self, within: Duration) -> Result<ExitStatus> {
        let Self { child, name } = self;
        wait::until(&format!("the end of `{name}`"), within, || Ok(child.try_wait()?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Either fails only if the child is gone, which is the aim.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `command` to its end and returns its standard output; a failure names the command and what it said.
pub fn run(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    ensure!(
        output.status.success(),
        "`{}` failed ({}): {}{}",
        describe(command),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim(),
        String::from_utf8_lossy(&output.stdout).trim(),
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `command` to its end, whatever its exit status.
pub fn output(command: &mut Command) -> Result<Output> {
    fed(command, "")
}

/// The same with `input`, of which a pipe has room for some 60 KB, as its standard input.
pub fn fed(command: &mut Command, input: &str) -> Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::spawn(command)?;
    let pipes = [collect(process.child.stdout.take()), collect(process.child.stderr.take())];
    // Whoever ends without having read all of it says why.
    let _ = process.child.stdin.take().map(|mut pipe| pipe.write_all(input.as_bytes()));
    let [stdout, stderr] = pipes.map(|pipe| pipe.recv_timeout(PATIENCE));
    let (Ok(stdout), Ok(stderr)) = (stdout, stderr) else {
        let standing = process.standing();
        let _ = process.child.kill();
        // What stands in the kernel does not end, and drop would wait for that.
        std::mem::forget(process);
        bail!(standing);
    };
    Ok(Output { status: process.child.wait()?, stdout, stderr })
}

/// Reads a pipe to its end, apart from this thread.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut all = Vec::new();
        // What came before an error is what there is; whoever asked may have given up.
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut all));
        let _ = sender.send(all);
    });
    receiver
}

/// Gives this thread, and those that it will spawn, a table of descriptors apart from all other threads, with the three
/// standard streams in it. Everything else that the thread may have open is closed for it.
pub fn own_descriptors() -> Result<()> {
    const CLOSE_RANGE_UNSHARE: libc::c_uint = 2;
    // SAFETY: reads no memory. Descriptors that this thread's callers hold are theirs in the table that is left.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, CLOSE_RANGE_UNSHARE) };
    ensure!(result == 0, "close_range: {}", io::Error::last_os_error());
    Ok(())
}

/// The command line, for messages.
fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Gives the child its own process group (a terminal's Ctrl-C is for the owner), no blocked signals, and an end at the
/// latest with the thread that spawns it.
fn tie(command: &mut Command) -> &mut Command {
    let owner = std::process::id();
    command.process_group(0);
    // SAFETY: the closure only makes async-signal-safe system calls and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The owner may have died before the line above: then nobody would end us.
            if libc::getppid().cast_unsigned() != owner {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        })
    }
}
