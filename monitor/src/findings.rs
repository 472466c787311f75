//! Findings: what is wrong with the tunnels, with numbers, a cause, a fix and a way to see it oneself.
//!
//! A rule is a pure function of a [`Snapshot`]: what it finds there are [`Hit`]s. [`Findings`] makes of them what is told:
//! raised once, updated now and then, cleared when there was nothing for a while. The time is an argument. To add one:
//! a file here with the rule and its texts, a line in [`RULES`], a page in `docs/findings`.

mod black_hole;
mod df_clear;
mod filtered;
mod inner_fragments;
mod inner_too_big;
mod local_oversize;
mod mss;
mod outer_fragments;
mod path_mtu;
mod port_closed;
mod reassembly;
#[cfg(test)]
pub(crate) mod testing;
mod underlay_loop;
mod unknown_network;
mod unknown_peer;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::inventory::{Inventory, Name};
use crate::snapshot::Snapshot;

/// All rules, by code.
pub const RULES: [&Rule; 14] = [
    &black_hole::RULE,
    &path_mtu::RULE,
    &mss::RULE,
    &outer_fragments::RULE,
    &inner_fragments::RULE,
    &df_clear::RULE,
    &inner_too_big::RULE,
    &local_oversize::RULE,
    &reassembly::RULE,
    &port_closed::RULE,
    &filtered::RULE,
    &unknown_peer::RULE,
    &unknown_network::RULE,
    &underlay_loop::RULE,
];

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Traffic is lost.
    Critical,
    /// Traffic suffers, or will.
    Warning,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// Its name in records and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// How often a rule's findings were raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raised {
    /// Code of the rule.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// How often.
    pub count: u64,
}

/// A rule, and what is told of what it finds.
pub struct Rule {
    /// Its code.
    pub code: &'static str,
    /// Its name in records.
    pub kind: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Its page, in Markdown.
    pub page: &'static str,
    judge: fn(&Snapshot) -> Vec<Hit>,
}

/// What a rule has found in one snapshot.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The virtual network, when it is one's.
    pub vni: Option<u32>,
    /// The other end, when it is one's.
    pub peer: Option<IpAddr>,
    /// Packets, or what the rule counts.
    pub count: u64,
    /// The numbers behind it.
    pub evidence: Value,
    /// Why it is so.
    pub cause: String,
    /// What to do.
    pub fix: String,
    /// A command that shows it.
    pub test: String,
}

/// A finding as it is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Code of its rule.
    pub code: &'static str,
    /// Name of its rule.
    pub kind: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Where it is in its life.
    pub state: State,
    /// The device.
    pub device: String,
    /// The virtual network, when it is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vni: Option<u32>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Name>,
    /// The other end, when it is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<Peer>,
    /// What the rule counts, since it was raised.
    pub count: u64,
    /// The numbers behind it, as of the last snapshot that had it.
    pub evidence: Value,
    /// Why it is so.
    pub cause: String,
    /// What to do.
    pub fix: String,
    /// A command that shows it.
    pub test: String,
}

/// The other end of a tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// Its address.
    pub ip: IpAddr,
    /// Its node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Name>,
}

impl Peer {
    /// The end with this address, and the name that it has.
    pub fn new(ip: IpAddr, names: &Inventory) -> Self {
        Self { ip, node: names.node_name(ip).cloned() }
    }
}

/// Where a finding is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is new.
    Raised,
    /// It goes on.
    Updated,
    /// Nothing of it was seen for a while.
    Cleared,
}

/// Between two updates of one finding.
const UPDATES: Duration = Duration::from_secs(10);
/// Without anything of it for so long, a finding is cleared.
const QUIET: Duration = Duration::from_secs(60);
/// The direction of what was counted both ways.
fn direction(rx: u64, tx: u64) -> &'static str {
    match (rx, tx) {
        (_, 0) => "rx",
        (0, _) => "tx",
        _ => "both",
    }
}

/// Evidence as it is told.
fn value<T: Serialize>(evidence: &T) -> Value {
    serde_json::to_value(evidence).unwrap_or_default()
}

/// Findings that are kept of a run; later ones are not told apart from none.
const MOST: usize = 1000;

type Key = (&'static str, Option<u32>, Option<IpAddr>);

struct Known {
    finding: Finding,
    told: Duration,
    seen: Duration,
}

/// The findings of one device, over a run.
#[derive(Default)]
pub struct Findings {
    known: BTreeMap<Key, Known>,
    raised: BTreeMap<&'static str, u64>,
}

impl Findings {
    /// Judges a snapshot at `now`, a time since any moment; returns what is to be told.
    pub fn judge(&mut self, snapshot: &Snapshot, now: Duration) -> Vec<Finding> {
        let mut told = Vec::new();
        for rule in RULES {
            for hit in (rule.judge)(snapshot) {
                told.extend(self.hit(rule, hit, snapshot, now));
            }
        }
        for known in self.known.values_mut() {
            if known.finding.state != State::Cleared && now >= known.seen + QUIET {
                known.finding.state = State::Cleared;
                told.push(known.finding.clone());
            }
        }
        told
    }

    /// All findings of the run, in the order of their codes, each in its last state.
    pub fn all(&self) -> Vec<Finding> {
        self.known.values().map(|known| known.finding.clone()).collect()
    }

    /// Those that are not over.
    pub fn active(&self) -> Vec<Finding> {
        self.all().into_iter().filter(|finding| finding.state != State::Cleared).collect()
    }

    /// How often each rule's findings were raised.
    pub fn raised(&self) -> Vec<Raised> {
        let count = |rule: &&Rule| self.raised.get(rule.code).copied().unwrap_or_default();
        let all = RULES.iter();
        all.map(|rule| Raised { code: rule.code, severity: rule.severity, count: count(rule) }).collect()
    }

    fn hit(&mut self, rule: &Rule, hit: Hit, snapshot: &Snapshot, now: Duration) -> Option<Finding> {
        let key = (rule.code, hit.vni, hit.peer);
        let has_room = self.known.len() < MOST;
        let before = self.known.get(&key).filter(|known| known.finding.state != State::Cleared);
        if before.is_none() && !has_room && !self.known.contains_key(&key) {
            return None;
        }
        let (state, count, told) = match before {
            Some(known) => (State::Updated, known.finding.count + hit.count, known.told),
            None => (State::Raised, hit.count, now),
        };
        let finding = Finding {
            code: rule.code,
            kind: rule.kind,
            severity: rule.severity,
            state,
            device: snapshot.device.clone(),
            vni: hit.vni,
            network: hit.vni.and_then(|vni| snapshot.names.network(vni)).map(|(network, _)| network.name.clone()),
            peer: hit.peer.map(|ip| Peer::new(ip, &snapshot.names)),
            count,
            evidence: hit.evidence,
            cause: hit.cause,
            fix: hit.fix,
            test: hit.test,
        };
        if state == State::Raised {
            *self.raised.entry(rule.code).or_default() += 1;
        }
        let is_told = state == State::Raised || now >= told + UPDATES;
        let told = if is_told { now } else { told };
        let answer = is_told.then(|| finding.clone());
        self.known.insert(key, Known { finding, told, seen: now });
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{self, fragments};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_finding_is_raised_once_updated_now_and_then_and_cleared() {
        let (ill, well) = (fragments(3), testing::healthy());
        let mut findings = Findings::default();
        let mut told = Vec::new();
        for second in 0..100 {
            let snapshot = if second < 25 { &ill } else { &well };
            for finding in findings.judge(snapshot, SECOND * second) {
                told.push((second, finding.state, finding.count));
            }
        }
        assert_eq!(
            told,
            [(0, State::Raised, 3), (10, State::Updated, 33), (20, State::Updated, 63), (84, State::Cleared, 75),]
        );
        assert_eq!(findings.all().len(), 1);
        assert_eq!(findings.judge(&ill, SECOND * 100)[0].state, State::Raised);
    }

    #[test]
    fn a_healthy_tunnel_raises_nothing() {
        assert_eq!(Findings::default().judge(&testing::healthy(), SECOND), []);
    }

    #[test]
    fn codes_ascend_and_each_has_its_page() {
        assert!(RULES.windows(2).all(|pair| pair[0].code < pair[1].code));
        for rule in RULES {
            assert!(rule.page.starts_with(&format!("# {} {}", rule.code, rule.kind)), "{}", rule.code);
            for heading in ["## Symptom", "## Cause", "## Confirm", "## Fix"] {
                assert!(rule.page.contains(heading), "{} has no {heading}", rule.code);
            }
        }
    }
}
