//! The product under test, running beside the traffic: `tunmon -o json` in a namespace.
//!
//! [`Tunmon::start`] returns when the start record is out, so all that is sent later is measured. [`Tunmon::stop`] sends
//! `SIGINT` and gathers every line. The uncertain moments, while hooks come and go, are given as spans of wall-clock time,
//! so that a comparison can make sure that nothing passed in them.

mod summary;

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{ChildStdout, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;

use crate::needs;
use crate::netns::Namespace;
use crate::process::{self, Process};
use crate::scratch::Scratch;

pub use summary::{Accounting, Events, Flows, Other, PeerRow, Rtt, Summary, VniRow};

/// Loading and verifying the programs is what takes time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A moment that lies between two readings of the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub from: SystemTime,
    pub to: SystemTime,
}

/// A running tunmon.
#[derive(Debug)]
pub struct Tunmon {
    process: Process,
    lines: Receiver<String>,
    records: Vec<Value>,
    started: Span,
    scratch: Scratch,
}

/// All that a tunmon has said.
#[derive(Debug)]
pub struct Report {
    /// Standard output, one record a line.
    pub records: Vec<Value>,
    /// When measuring began.
    pub started: Span,
    /// When measuring ended.
    pub stopped: Span,
    pub status: ExitStatus,
    pub stderr: String,
}

/// The program: `TUNMON_BIN`, else the one built beside the running test, else the other profile's.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os("TUNMON_BIN") {
        let path = PathBuf::from(path);
        ensure!(path.is_file(), "TUNMON_BIN is {}, which is no file", path.display());
        return Ok(path);
    }
    // target/<profile>/deps/<test> or target/<profile>/<program>
    let exe = env::current_exe().context("cannot tell where this test is")?;
    let directory = exe.parent().context("a program is in a directory")?;
    let profile = if directory.ends_with("deps") { directory.parent().unwrap_or(directory) } else { directory };
    let profiles = ["", "../debug", "../release"];
    let mut candidates = profiles.iter().map(|other| profile.join(other).join("tunmon"));
    candidates.find(|path| path.is_file()).context("tunmon is not built (cargo build), and TUNMON_BIN is not set")
}

/// The reason why a test that runs it, as root and with these programs beside it, cannot run here, if there is one.
pub fn missing(programs: &[&[&str]]) -> Option<String> {
    needs::missing(programs).or_else(not_built)
}

/// The reason why it cannot be run at all, if there is one.
pub fn not_built() -> Option<String> {
    binary().err().map(|error| error.to_string())
}

/// Runs it with `arguments`, split at blanks, in `namespace`, to its end.
pub fn run(namespace: &Namespace, arguments: &str) -> Result<Output> {
    let program = binary()?;
    let program = program.to_str().context("the path of tunmon is not UTF-8")?;
    process::output(namespace.command(program).args(arguments.split_whitespace()))
}

impl Tunmon {
    /// Watches `device` in `namespace`; `arguments` are split at blanks.
    pub fn start(namespace: &Namespace, device: &str, arguments: &str) -> Result<Self> {
        Self::start_by(namespace, "", device, arguments)
    }

    /// The same, started by another program: the words of `wrapper`.
    pub fn start_by(namespace: &Namespace, wrapper: &str, device: &str, arguments: &str) -> Result<Self> {
        let scratch = Scratch::create("tunmon")?;
        let stderr = File::create(scratch.path().join("stderr")).context("cannot create tunmon's log")?;
        let program = binary()?;
        let program = program.to_str().context("the path of tunmon is not UTF-8")?;
        let mut words = wrapper.split_whitespace().chain([program]);
        let mut command = namespace.command(words.next().context("no program")?);
        command.args(words).args(["--iface", device, "-o", "json"]).args(arguments.split_whitespace());
        if !arguments.contains("listen") {
            command.arg("--no-listen");
        }
        let from = SystemTime::now();
        let mut process = Process::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr))?;
        let lines = read_lines(process.take_stdout().context("standard output was piped above")?);
        let started = Span { from, to: from };
        let mut tunmon = Self { process, lines, records: Vec::new(), started, scratch };
        tunmon.wait_for("its start record", |record| record["schema"] == "tunmon.start/v1")?;
        tunmon.started.to = SystemTime::now();
        Ok(tunmon)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its start record.
    pub fn start_record(&self) -> &Value {
        &self.records[0]
    }

    /// Waits for a record that `matches`, among those already printed too.
    pub fn wait_for(&mut self, what: &str, matches: impl Fn(&Value) -> bool) -> Result<&Value> {
        self.wait_for_nth(what, 1, matches)
    }

    /// The same, for the one of this number among those that match, from 1.
    pub fn wait_for_nth(&mut self, what: &str, number: usize, matches: impl Fn(&Value) -> bool) -> Result<&Value> {
        let deadline = Instant::now() + PATIENCE;
        let (mut next, mut left) = (0, number);
        loop {
            for (index, _) in self.records.iter().enumerate().skip(next).filter(|(_, record)| matches(record)) {
                left -= 1;
                if left == 0 {
                    return Ok(&self.records[index]);
                }
            }
            next = self.records.len();
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.records.push(parse(&line)?),
                Err(RecvTimeoutError::Timeout) => {
                    bail!("tunmon did not print {what} in {PATIENCE:?}: {}", self.stderr())
                }
                Err(RecvTimeoutError::Disconnected) => bail!("tunmon ended before {what}: {}", self.stderr()),
            }
        }
    }

    /// Sends it a signal, such as SIGSTOP: a reader that stands still.
    pub fn signal(&mut self, signal: i32) -> Result<()> {
        self.process.signal(signal)
    }

    /// Ends it as Ctrl-C does, and gathers the rest.
    pub fn stop(self) -> Result<Report> {
        self.stop_by(libc::SIGINT)
    }

    /// Ends it by this signal, and gathers the rest.
    pub fn stop_by(mut self, signal: i32) -> Result<Report> {
        let from = SystemTime::now();
        self.process.signal(signal).with_context(|| self.stderr())?;
        self.end(from)
    }

    /// Waits until it ends by itself, and gathers the rest.
    pub fn wait(self) -> Result<Report> {
        self.end(SystemTime::now())
    }

    fn end(mut self, from: SystemTime) -> Result<Report> {
        let status = self.process.wait(PATIENCE)?;
        let stopped = Span { from, to: SystemTime::now() };
        let mut records = std::mem::take(&mut self.records);
        // The reader ends at end of file, and with it the channel.
        for line in self.lines.iter() {
            records.push(parse(&line)?);
        }
        Ok(Report { records, started: self.started, stopped, status, stderr: self.stderr() })
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.scratch.path().join("stderr")).unwrap_or_default()
    }
}

impl Report {
    /// Records of one schema, such as `tunmon.finding/v1`, in order.
    pub fn of<'a>(&'a self, schema: &'a str) -> impl Iterator<Item = &'a Value> {
        self.records.iter().filter(move |record| record["schema"] == schema)
    }

    /// The summary, which is the last line of a good run; anything else is an error with what tunmon said.
    pub fn summary(&self) -> Result<Summary> {
        ensure!(self.status.success(), "tunmon ended with {}: {}", self.status, self.stderr);
        let last = self.records.last().ok_or_else(|| anyhow!("tunmon printed nothing: {}", self.stderr))?;
        ensure!(last["schema"] == "tunmon.summary/v1", "the last line is no summary: {last}");
        Summary::from_record(last)
    }
}

fn parse(line: &str) -> Result<Value> {
    let record: Value =
        serde_json::from_str(line).with_context(|| format!("standard output has more than JSON: {line}"))?;
    ensure!(record["schema"].is_string(), "a record without a schema: {line}");
    Ok(record)
}

fn read_lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Nobody listens any more once the test is over.
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
