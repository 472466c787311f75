//! All that the usual tools say of a device, as text: what is as it was before reads the same as before.

use std::fmt::Write as _;

use anyhow::Result;
use aya::programs::SchedClassifier;
use aya::programs::tc::TcAttachType;

use super::pair::{DEVICE, Place};
use crate::process;

/// Lines of commands; `DEV` is the device. A tool that does not know the device or its driver says so, which is an
/// answer like any other.
const QUESTIONS: [&str; 10] = [
    "ethtool -k DEV",
    "ethtool -l DEV",
    "ethtool -g DEV",
    "ethtool -c DEV",
    "ip -d link show DEV",
    "tc qdisc show dev DEV",
    "tc filter show dev DEV ingress",
    "tc filter show dev DEV egress",
    "tc filter show dev DEV",
    "bpftool net show dev DEV",
];

/// What was said of the device of a place at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    answers: Vec<(String, String)>,
}

impl Snapshot {
    pub fn take(place: Place<'_>) -> Result<Self> {
        let (namespace, device) = (place.namespace, DEVICE);
        let mut answers = Vec::new();
        for question in QUESTIONS {
            let line = question.replace("DEV", device);
            let mut words = line.split_whitespace();
            let output = process::output(namespace.command(words.next().unwrap_or_default()).args(words))?;
            // Where it succeeds, `ip` may still complain of a namespace of somebody else that has just gone.
            let said = if output.status.success() { output.stdout } else { output.stderr };
            let answer = format!("{}\n{}", output.status, String::from_utf8_lossy(&said));
            answers.push((format!("{}: {line}", namespace.name()), answer));
        }
        // Debian's bpftool knows nothing of TCX.
        let _inside = namespace.enter()?;
        for direction in [TcAttachType::Ingress, TcAttachType::Egress] {
            answers.push((format!("{}: TCX {direction:?} of {device}", namespace.name()), tcx(device, direction)));
        }
        Ok(Self { answers })
    }

    /// The answers that are not those of an earlier one, each with both; empty if there are none.
    pub fn since(&self, before: &Self) -> String {
        let mut text = String::new();
        for ((question, now), (_, then)) in self.answers.iter().zip(&before.answers).filter(|(now, then)| now != then) {
            let _ = writeln!(text, "{question}\n--- before\n{then}\n--- now\n{now}");
        }
        text
    }
}

/// What has changed at either end; empty if nothing has.
pub fn changes(now: &[Snapshot; 2], before: &[Snapshot; 2]) -> String {
    now.iter().zip(before).map(|(now, before)| now.since(before)).collect()
}

/// Ids of the programs, first in line first; or why there are none.
fn tcx(device: &str, direction: TcAttachType) -> String {
    match SchedClassifier::query_tcx(device, direction) {
        Ok((_, programs)) => format!("{:?}", programs.iter().map(|program| program.id()).collect::<Vec<_>>()),
        Err(error) => format!("{error:?}"),
    }
}
