//! `ping`, and what it says about each answer.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::netns::Namespace;
use crate::process;

/// What to send. `Ping { count: 20, ..Ping::to(address) }`
#[derive(Clone, Copy, Debug)]
pub struct Ping {
    pub to: IpAddr,
    pub count: u32,
    pub interval: Duration,
    /// ICMP payload.
    pub payload_bytes: u32,
    /// Prohibit fragmentation, by the sender too.
    pub dont_fragment: bool,
    /// How long to wait for an answer to the last request.
    pub patience: Duration,
}

/// What came back. Times are in milliseconds, as ping prints them.
///
/// `received` may be less than what arrived: after its last request, ping waits no longer than an interval or twice the
/// longest round trip so far. On a busy machine the capture knows better.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub sent: u32,
    pub received: u32,
    /// By sequence number, one per answer.
    pub times_ms: BTreeMap<u64, f64>,
    /// Minimum, average and maximum, if there was an answer.
    pub summary_ms: Option<[f64; 3]>,
}

impl Ping {
    /// Five requests of 56 bytes, 50 ms apart.
    pub fn to(to: impl Into<IpAddr>) -> Self {
        let (interval, patience) = (Duration::from_millis(50), Duration::from_secs(2));
        Self { to: to.into(), count: 5, interval, payload_bytes: 56, dont_fragment: false, patience }
    }

    /// Sends from `from`; silence is a report, not an error.
    pub fn run(&self, from: &Namespace) -> Result<Report> {
        let mut command = self.command(from);
        command.args(["-c", &self.count.to_string(), "-W", &self.patience.as_secs_f64().to_string()]);
        let output = process::output(&mut command)?;
        let text = String::from_utf8_lossy(&output.stdout);
        // 0: answered, 1: not all answered.
        ensure!(
            matches!(output.status.code(), Some(0 | 1)),
            "ping {} failed: {}{text}",
            self.to,
            String::from_utf8_lossy(&output.stderr)
        );
        parse(&text).with_context(|| format!("ping {} printed:\n{text}", self.to))
    }

    /// Sends until the first answer.
    pub fn until_answered(&self, from: &Namespace) -> Result<()> {
        // With a deadline, the count is of answers.
        let output = process::output(self.command(from).args(["-c", "1", "-w", "15"]))?;
        ensure!(output.status.success(), "{} did not answer {}", self.to, from.name());
        Ok(())
    }

    fn command(&self, from: &Namespace) -> Command {
        let mut command = from.command("ping");
        command.args(["-n", "-i", &self.interval.as_secs_f64().to_string(), "-s", &self.payload_bytes.to_string()]);
        if self.dont_fragment {
            command.args(["-M", "do"]);
        }
        command.arg(self.to.to_string()).env("LC_ALL", "C");
        command
    }
}

fn parse(text: &str) -> Option<Report> {
    let times_ms = text.lines().filter_map(parse_answer).collect();
    let counts = text.lines().find(|line| line.contains("packets transmitted"))?;
    let mut counts = counts.split(", ").map(|part| part.split(' ').next()?.parse().ok());
    Some(Report { times_ms, sent: counts.next()??, received: counts.next()??, summary_ms: parse_summary(text) })
}

/// `64 bytes from 10.1.0.2: icmp_seq=1 ttl=64 time=0.422 ms`
fn parse_answer(line: &str) -> Option<(u64, f64)> {
    let value = |name| line.split_once(name)?.1.split(' ').next();
    Some((value("icmp_seq=")?.parse().ok()?, value("time=")?.parse().ok()?))
}

/// `rtt min/avg/max/mdev = 0.243/0.308/0.422/0.080 ms`
fn parse_summary(text: &str) -> Option<[f64; 3]> {
    let (_, numbers) = text.lines().find(|line| line.starts_with("rtt "))?.split_once(" = ")?;
    let mut numbers = numbers.split('/').map(str::parse);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERED: &str = "\
PING 10.1.0.2 (10.1.0.2) 56(84) bytes of data.
64 bytes from 10.1.0.2: icmp_seq=1 ttl=64 time=0.422 ms
64 bytes from 10.1.0.2: icmp_seq=2 ttl=64 time=1.50 ms

--- 10.1.0.2 ping statistics ---
2 packets transmitted, 2 received, 0% packet loss, time 20ms
rtt min/avg/max/mdev = 0.422/0.961/1.500/0.539 ms
";

    const SILENT: &str = "\
PING 10.1.0.9 (10.1.0.9) 56(84) bytes of data.
From 10.1.0.1 icmp_seq=1 Destination Host Unreachable

--- 10.1.0.9 ping statistics ---
3 packets transmitted, 0 received, +1 errors, 100% packet loss, time 40ms
";

    #[test]
    fn every_answer_has_its_time() {
        let report = parse(ANSWERED).unwrap();
        assert_eq!(report.times_ms, [(1, 0.422), (2, 1.5)].into());
        assert_eq!((report.sent, report.received), (2, 2));
        assert_eq!(report.summary_ms, Some([0.422, 0.961, 1.5]));
    }

    #[test]
    fn silence_is_a_report_without_times() {
        let report = parse(SILENT).unwrap();
        assert_eq!(report, Report { sent: 3, received: 0, times_ms: BTreeMap::new(), summary_ms: None });
    }
}
