//! All that the usual tools say of a device, as text: what is as it was before reads the same as before.

use std::fmt::Write as _;
use std::process::Command;

use anyhow::Result;
use aya::programs::SchedClassifier;
use aya::programs::tc::TcAttachType;

use super::pair::{DEVICE, Place};
use crate::process;

/// Lines of commands; `DEV` is the device. A tool that does not know the device or its driver says so, which is an
/// answer like any other.
const QUESTIONS: [&str; 9] = [
    "ethtool -k DEV",
    "ethtool -l DEV",
    "ethtool -g DEV",
    "ethtool -c DEV",
    "ip -d link show DEV",
    "tc qdisc show dev DEV",
    "tc filter show dev DEV ingress",
    "tc filter show dev DEV egress",
    "bpftool net show dev DEV",
];

/// What was said of the device of a place at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    answers: Vec<(String, String)>,
}

impl Snapshot {
    pub fn take(place: Place<'_>) -> Result<Self> {
        // From inside, and not by `ip netns exec`, which would take most of the time where processors are emulated.
        let _inside = place.namespace.enter()?;
        let mut answers = Vec::new();
        for question in QUESTIONS {
            let line = question.replace("DEV", DEVICE);
            let mut words = line.split_whitespace();
            let output = process::output(Command::new(words.next().unwrap_or_default()).args(words))?;
            // Where it succeeds, `ip` may still complain of a namespace of somebody else that has just gone.
            let said = if output.status.success() { output.stdout } else { output.stderr };
            answers.push((line, format!("{}\n{}", output.status, String::from_utf8_lossy(&said))));
        }
        // Debian's bpftool knows nothing of TCX.
        for direction in [TcAttachType::Ingress, TcAttachType::Egress] {
            answers.push((format!("TCX, {direction:?}"), tcx(direction)));
        }
        Ok(Self { answers })
    }

    /// Whether an answer has this number, as the number of a program, say.
    pub fn shows(&self, number: u32) -> bool {
        let number = number.to_string();
        let has_it = |answer: &str| answer.split(|c: char| !c.is_ascii_digit()).any(|word| word == number);
        self.answers.iter().any(|(_, answer)| has_it(answer))
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

/// Looks at both places before and after something, and at the first one in its middle: between `begin` and `end`.
///
/// Returns what has changed in the middle, and what afterwards; each is empty if nothing has.
pub fn around<T>(
    places: [Place<'_>; 2],
    begin: impl FnOnce() -> Result<T>,
    end: impl FnOnce(T) -> Result<()>,
) -> Result<[String; 2]> {
    let before = both(places)?;
    let middle = begin()?;
    let during = Snapshot::take(places[0])?.since(&before[0]);
    end(middle)?;
    let after = both(places)?;
    Ok([during, after.iter().zip(&before).map(|(after, before)| after.since(before)).collect()])
}

fn both([one, two]: [Place<'_>; 2]) -> Result<[Snapshot; 2]> {
    Ok([Snapshot::take(one)?, Snapshot::take(two)?])
}

/// Ids of the programs, first in line first; or why there are none.
fn tcx(direction: TcAttachType) -> String {
    match SchedClassifier::query_tcx(DEVICE, direction) {
        Ok((_, programs)) => format!("{:?}", programs.iter().map(|program| program.id()).collect::<Vec<_>>()),
        Err(error) => format!("{error:?}"),
    }
}
