//! A verdict, for people.

use std::fmt::Write;
use std::net::IpAddr;

use super::campaign::Reason;
use super::verdict::{FlowRow, State, Target, Verdict};
use super::wire::{Kind, Refusal};
use crate::ui::units::time;

/// What is about to be done.
pub(super) fn title(target: &Target) -> String {
    let Target { peer, device, device_mtu_bytes, sizes, .. } = target;
    let ip = peer.ip;
    format!(
        "probe of {ip} out of {device}, MTU {device_mtu_bytes}: {} to {} bytes of IP, DF set\n",
        sizes.base, sizes.max
    )
}

/// The table of flows and what follows from it.
pub(super) fn text(verdict: &Verdict) -> String {
    let mut text = String::new();
    let columns = ["FLOW", "PASSES", "FAILS", "SENT", "LOST", "RTT"];
    let _ = writeln!(text, "{}  REPORTED BY", line(columns.map(str::to_owned)));
    for row in &verdict.flows {
        let reports: Vec<String> =
            row.reports.iter().map(|it| format!("{} (MTU {})", it.reporter, it.mtu_bytes)).collect();
        let reports = if reports.is_empty() { "-".to_owned() } else { reports.join(", ") };
        let _ = writeln!(text, "{}  {reports}", line(cells(row)));
    }
    let _ = writeln!(text, "{} {}", mark(verdict.state), verdict.cause);
    for note in notes(verdict) {
        let _ = writeln!(text, "    note: {note}");
    }
    if let Some(fix) = &verdict.fix {
        let _ = writeln!(text, "    fix:  {fix}");
    }
    if let Some(test) = &verdict.test {
        let _ = writeln!(text, "    test: {test}");
    }
    let _ = writeln!(text, "{} packets in {}", verdict.packets, time(verdict.duration_seconds));
    text
}

/// What is the matter, in words.
pub(super) fn cause(verdict: &Verdict) -> String {
    let (peer, max) = (verdict.target.peer.ip, verdict.max_bytes);
    let is_told = verdict.flows.iter().any(|row| !row.reports.is_empty());
    let how = if is_told { "and a router says so" } else { "and what is longer vanishes: a black hole" };
    match (verdict.state, verdict.path_mtu_bytes) {
        (State::Whole, _) => format!("packets of {max} bytes pass to {peer}"),
        (State::Smaller, Some(mtu)) if verdict.flows_differ => {
            let smaller = verdict.flows.iter().filter(|row| row.state == State::Smaller).count();
            let of = verdict.flows.len();
            format!(
                "the flows to {peer} differ: {smaller} of {of} take less than {max} bytes, the least {mtu}, {how}; \
                 ECMP with a small path"
            )
        }
        (State::Smaller, Some(mtu)) => format!("the path to {peer} takes {mtu} of {max} bytes, {how}"),
        (State::Smaller, None) => format!("the path to {peer} takes less than {} bytes, {how}", verdict.min_bytes),
        (State::Unknown, _) => format!("the path to {peer} is not known: {}", unknown(verdict.ended)),
        (State::NoAnswer, _) => format!("{peer} does not answer packets of {} bytes", verdict.min_bytes),
    }
}

fn unknown(ended: Reason) -> &'static str {
    match ended {
        Reason::Timeout => "the time was over before all sizes were judged; --timeout gives more",
        Reason::Packets => "the packets were spent before all sizes were judged; --max-packets gives more",
        Reason::Interrupted => "it was interrupted",
        Reason::Done | Reason::Silent => "answers came and went whatever the size, or not in every flow",
    }
}

/// What else has to be known.
fn notes(verdict: &Verdict) -> Vec<String> {
    let mut notes = Vec::new();
    let unjudged = verdict.flows.iter().filter(|row| row.state == State::Unknown).count();
    if unjudged > 0 && verdict.state == State::Smaller {
        notes.push(format!("{unjudged} flows are not judged: {}", unknown(verdict.ended)));
    }
    if verdict.method == Kind::Icmp && verdict.state == State::Smaller {
        notes.push("echo goes there and back: the way back may be the small one".to_owned());
    }
    let lost: u32 = verdict.flows.iter().map(|row| row.lost).sum();
    if lost > 0 {
        notes.push(format!("{lost} packets of sizes that pass were not answered: loss, or a limit on ICMP"));
    }
    let silent = verdict.flows.iter().filter(|row| row.state == State::NoAnswer).count();
    if silent > 0 && verdict.state != State::NoAnswer {
        notes.push(format!("{silent} flows are not answered at all: a dead path of several, or a filter"));
    }
    notes
}

/// What to do about it.
pub(super) fn fix(verdict: &Verdict) -> Option<String> {
    let needed = verdict.target.device_mtu_bytes;
    match (verdict.state, verdict.recommended_inner_mtu_bytes) {
        (State::Smaller, Some(inner)) => Some(format!(
            "set the MTU of the path to {needed}, or that of the pods to {inner} or less ({} bytes of tunnel headers)",
            verdict.target.overhead_bytes
        )),
        (State::Smaller, None) => Some(format!("set the MTU of the path to {needed}")),
        (State::NoAnswer, _) => Some(match &verdict.refusal {
            Some(Refusal { reporter, kind, code }) => {
                format!("{reporter} says {}; look at its routes and filters", words(*reporter, *kind, *code))
            }
            None => "see whether it is up, and whether filters let ICMP errors and echo through".to_owned(),
        }),
        (State::Whole | State::Unknown, _) => None,
    }
}

/// The errors that routers send when they do not know the way, or do not want it (RFC 792, RFC 1812 §5.2.7.1, RFC 4443).
fn words(reporter: IpAddr, kind: u8, code: u8) -> String {
    let known = match (reporter.is_ipv4(), kind, code) {
        (true, 3, 0 | 6) | (false, 1, 0) => "that there is no route",
        (true, 3, 1 | 7) | (false, 1, 3) => "that the host cannot be reached",
        (true, 3, 9 | 10 | 13) | (false, 1, 1 | 5 | 6) => "that it is forbidden",
        (true, 3, 3) | (false, 1, 4) => "that the port is closed, in the place of the peer",
        (true, 11, 0) | (false, 3, 0) => "that packets go round",
        _ => return format!("ICMP type {kind} code {code}"),
    };
    known.to_owned()
}

/// A command that shows it.
pub(super) fn test(verdict: &Verdict) -> Option<String> {
    let fails = verdict.flows.iter().filter_map(|row| row.fails_bytes).min()?;
    let peer = verdict.target.peer.ip;
    let payload = fails - if peer.is_ipv4() { 28 } else { 48 };
    Some(format!("ping -M do -s {payload} {peer}"))
}

fn mark(state: State) -> &'static str {
    match state {
        State::Whole => "OK      ",
        State::Smaller => "SMALLER ",
        State::Unknown => "UNKNOWN ",
        State::NoAnswer => "SILENT  ",
    }
}

fn cells(row: &FlowRow) -> [String; 6] {
    let number = |number: Option<u32>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    [
        row.source_port.map_or_else(|| "echo".to_owned(), |port| format!("udp {port}")),
        number(row.passes_bytes),
        number(row.fails_bytes),
        row.sent.to_string(),
        row.lost.to_string(),
        row.rtt_seconds.map_or_else(|| "-".to_owned(), time),
    ]
}

fn line([flow, passes, fails, sent, lost, rtt]: [String; 6]) -> String {
    format!("{flow:<9} {passes:>7} {fails:>7} {sent:>5} {lost:>5} {rtt:>7}")
}
