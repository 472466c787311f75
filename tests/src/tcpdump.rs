//! Recording of a device's frames by `tcpdump`, complete or an error.
//!
//! A recording starts when tcpdump really listens, and stops only after tcpdump has written all that the kernel gave it:
//! asked by `SIGUSR1`, it tells "captured" and "received by filter", which must become equal, with no drops.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::netns::Namespace;
use crate::oracle::Tally;
use crate::process::{self, Process};
use crate::scratch::Scratch;
use crate::wait;

const PATIENCE: Duration = Duration::from_secs(20);
/// More than any frame of a lab but a TCP super-frame on the underlay, whose full length is recorded all the same. The kernel
/// keeps a slot of this size for each waiting frame, so the default of 256 KiB would make it drop frames under load.
const SNAP_BYTES: &str = "4096";
/// 8192 slots.
const BUFFER_KIB: &str = "32768";

/// Which frames, seen from the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    #[default]
    Both,
    In,
    Out,
}

/// A recording that goes on.
#[derive(Debug)]
pub struct Capture {
    process: Process,
    directory: Scratch,
}

/// A finished recording; the file goes away with this.
#[derive(Debug)]
pub struct Pcap {
    path: PathBuf,
    _directory: Scratch,
}

impl Capture {
    /// Records frames of `device` that match `filter` (all if it is empty), with nanosecond times.
    ///
    /// Without a filter, frames with a VLAN tag and later fragments are recorded too, which `udp port 6081` would miss.
    pub fn start(namespace: &Namespace, device: &str, direction: Direction, filter: &str) -> Result<Self> {
        let directory = Scratch::create("capture")?;
        let mut command = namespace.command("tcpdump");
        command.args(["-i", device, "-n", "-s", SNAP_BYTES, "-B", BUFFER_KIB, "--immediate-mode", "-U", "-Z", "root"]);
        command.args(["--time-stamp-precision=nano", "-Q", direction.name()]);
        command.arg("-w").arg(directory.path().join("frames.pcap")).args(filter.split_whitespace());
        let stderr = File::create(directory.path().join("stderr")).context("cannot create tcpdump's log")?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let mut capture = Self { process: Process::spawn(&mut command)?, directory };
        capture.await_stderr("tcpdump to listen", |text| text.contains("listening on").then_some(()))?;
        Ok(capture)
    }

    /// Ends the recording when all that has passed so far is in the file.
    pub fn stop(mut self) -> Result<Pcap> {
        self.drain()?;
        self.process.signal(libc::SIGINT)?;
        self.process.wait(PATIENCE)?;
        let counts = Counts::last(&self.stderr()?).context("tcpdump did not say what it captured")?;
        ensure!(counts.dropped == 0, "the kernel dropped {} frames: the capture is no oracle", counts.dropped);
        Ok(Pcap { path: self.directory.path().join("frames.pcap"), _directory: self.directory })
    }

    fn drain(&mut self) -> Result<()> {
        for _ in 0..100 {
            let reports = Counts::number_in(&self.stderr()?);
            self.process.signal(libc::SIGUSR1)?;
            let counts = self.await_stderr("tcpdump's counts", |text| {
                (Counts::number_in(text) > reports).then(|| Counts::last(text)).flatten()
            })?;
            if counts.captured == counts.received {
                return Ok(());
            }
        }
        bail!("tcpdump does not catch up with the traffic")
    }

    fn await_stderr<T>(&mut self, what: &str, mut find: impl FnMut(&str) -> Option<T>) -> Result<T> {
        wait::until(what, PATIENCE, || {
            let text = self.stderr()?;
            if let Some(status) = self.process.ended()? {
                bail!("tcpdump ended ({status}): {}", text.trim());
            }
            Ok(find(&text))
        })
    }

    fn stderr(&self) -> Result<String> {
        fs::read_to_string(self.directory.path().join("stderr")).context("cannot read tcpdump's log")
    }
}

impl Pcap {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Frames that match `filter`, and their bytes, by tcpdump's own words: it starts at once, where tshark takes seconds
    /// on an emulated processor.
    pub fn count(&self, filter: &str) -> Result<Tally> {
        let mut command = Command::new("tcpdump");
        command.args(["-n", "-e", "-t", "-q", "-r"]).arg(&self.path).args(filter.split_whitespace());
        let text = process::run(&mut command)?;
        let mut tally = Tally::default();
        for line in text.lines().filter(|line| !line.starts_with([' ', '\t'])) {
            // `<source> > <destination>, IPv4, length <bytes>: …`
            let bytes = line.split_once("length ").and_then(|(_, rest)| rest.split(':').next()?.parse::<u64>().ok());
            tally.packets += 1;
            tally.bytes += bytes.with_context(|| format!("tcpdump gives no length: {line}"))?;
        }
        Ok(tally)
    }
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Self::Both => "inout",
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    captured: u64,
    received: u64,
    dropped: u64,
}

impl Counts {
    /// The last report in tcpdump's standard error: in one line when asked, in three at the end.
    fn last(text: &str) -> Option<Self> {
        let number = |phrase: &str| {
            let before = &text[..text.rfind(phrase)?];
            before.trim_end().rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        Some(Self {
            captured: number("packets captured").or_else(|| number("packet captured"))?,
            received: number("packets received by filter").or_else(|| number("packet received by filter"))?,
            dropped: number("packets dropped by kernel").or_else(|| number("packet dropped by kernel"))?,
        })
    }

    /// How many complete reports there are.
    fn number_in(text: &str) -> usize {
        text.matches("dropped by kernel").count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_report_counts() {
        let text = "tcpdump: listening on eth0\n\
                    tcpdump: 3 packets captured, 7 packets received by filter, 0 packets dropped by kernel\n\
                    12 packets captured\n14 packets received by filter\n2 packets dropped by kernel\n";
        assert_eq!(Counts::last(text), Some(Counts { captured: 12, received: 14, dropped: 2 }));
        assert_eq!(Counts::number_in(text), 2);
    }

    #[test]
    fn no_report_is_none() {
        assert_eq!(Counts::last("tcpdump: listening on eth0"), None);
    }
}
