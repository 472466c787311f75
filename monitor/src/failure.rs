//! Failures that the user can do something about: one line of cause, one of what to do, and an exit code.

use std::process::ExitCode;
use std::{fmt, fs, io};

/// A failure with advice.
#[derive(Debug)]
pub struct Failure {
    cause: String,
    advice: String,
    /// Exit code of the process.
    pub code: u8,
}

/// Exit code for a runtime error.
pub const RUNTIME: u8 = 1;
/// Exit code for wrong usage.
pub const USAGE: u8 = 2;
/// Exit code for something wrong that was looked for and found.
pub const FINDINGS: u8 = 3;
/// Exit code for a missing privilege or kernel feature.
pub const UNABLE: u8 = 4;

impl Failure {
    /// The user has to do something differently.
    pub fn usage(cause: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { cause: cause.into(), advice: advice.into(), code: USAGE }
    }

    /// Something went wrong at run time.
    pub fn runtime(cause: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { cause: cause.into(), advice: advice.into(), code: RUNTIME }
    }

    /// The kernel lacks a feature, or something stands in the way.
    pub fn kernel(cause: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { cause: cause.into(), advice: advice.into(), code: UNABLE }
    }

    /// The process lacks the rights to load and attach programs.
    pub fn privilege() -> Self {
        Self::kernel(
            "no right to load BPF programs (needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)",
            "run it as root: sudo tunmon …; without rights: tunmon read FILE.pcap",
        )
    }
}

/// Says whether the process has the rights that [`Failure::privilege`] names.
pub fn is_privileged() -> bool {
    const NET_ADMIN: u64 = 1 << 12;
    const SYS_ADMIN: u64 = 1 << 21;
    const PERFMON: u64 = 1 << 38;
    const BPF: u64 = 1 << 39;
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let held = effective.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    held & NET_ADMIN != 0 && (held & SYS_ADMIN != 0 || held & (PERFMON | BPF) == PERFMON | BPF)
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}\n  {}", self.cause, self.advice)
    }
}

impl std::error::Error for Failure {}

/// Tells the user about an error and returns the exit code. That nobody reads on is none.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    eprintln!("tunmon: {error:#}");
    ExitCode::from(error.downcast_ref::<Failure>().map_or(RUNTIME, |failure| failure.code))
}
