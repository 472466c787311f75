//! TM206: somebody sends tunnel packets who is no node, by an inventory that knows all nodes.

use std::net::IpAddr;

use serde::Serialize;

use super::{Hit, Rule, Severity, value};
use crate::snapshot::{Judge, Snapshot, Stranger, Strangers};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "TM206",
    kind: "unknown_peer",
    severity: Severity::Warning,
    page: include_str!("../../../docs/findings/TM206.md"),
    judge,
};

/// What is told of one stranger.
#[derive(Serialize)]
struct One<'a> {
    unknown_seconds: f64,
    rx_packets: u64,
    #[serde(flatten)]
    judge: &'a Judge,
}

/// What is told of many.
#[derive(Serialize)]
struct Many<'a, T> {
    count: usize,
    examples: Vec<T>,
    rx_packets: u64,
    #[serde(flatten)]
    judge: &'a Judge,
}

const FIX: &str =
    "if it is a node of yours, see why it is not listed there; if not, let only nodes reach UDP port 6081";

fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    let told = |peer: IpAddr| Hit {
        peer: Some(peer),
        cause: format!("{peer} sends tunnel packets and is no node"),
        test: format!("tcpdump -n -c 10 -i {} src host {peer} and udp port 6081", snapshot.device),
        ..nothing(FIX)
    };
    let others = |count: usize| Hit {
        cause: format!("{count} more addresses send tunnel packets and are no nodes"),
        test: format!("tcpdump -n -c 100 -i {} udp port 6081", snapshot.device),
        ..nothing(FIX)
    };
    hits(&snapshot.evidence.unknown_peers, told, others)
}

/// A hit that says what to do, and nothing else yet.
pub(super) fn nothing(fix: &str) -> Hit {
    let (cause, test) = (String::new(), String::new());
    Hit { vni: None, peer: None, count: 0, evidence: serde_json::Value::Null, cause, fix: fix.to_owned(), test }
}

/// The hits of strangers: one each of those that have a place, and one of all others.
pub(super) fn hits<T: Copy + Serialize>(
    strangers: &Strangers<T>,
    one: impl Fn(T) -> Hit,
    others: impl Fn(usize) -> Hit,
) -> Vec<Hit> {
    let Some(judge) = &strangers.judge else { return Vec::new() };
    let by = by(judge);
    let single = strangers.single.iter().map(|&Stranger { id, seconds, rx_packets }| {
        let hit = one(id);
        let evidence = value(&One { unknown_seconds: seconds, rx_packets, judge });
        Hit { count: rx_packets, evidence, cause: format!("{} {by}; so for {seconds:.0} s", hit.cause), ..hit }
    });
    let rest = (!strangers.others.is_empty()).then(|| {
        let hit = others(strangers.others.len());
        let rx_packets = strangers.others.iter().map(|stranger| stranger.rx_packets).sum();
        let examples = strangers.others.iter().take(EXAMPLES).map(|stranger| stranger.id).collect();
        let evidence = value(&Many { count: strangers.others.len(), examples, rx_packets, judge });
        Hit { count: rx_packets, evidence, cause: format!("{} {by}", hit.cause), ..hit }
    });
    single.chain(rest).collect()
}

/// Of those that are told together, so many are named.
const EXAMPLES: usize = 8;

/// The source that says so, and its age.
fn by(judge: &Judge) -> String {
    let age = judge.age_seconds.map(|seconds| format!(", as of {seconds} s ago")).unwrap_or_default();
    format!("by {} {} ({} entries{age})", judge.source.name(), judge.from, judge.entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::testing::{self, PEER, judge as source};

    #[test]
    fn each_stranger_is_told_with_the_source_and_the_rest_as_a_number() {
        let mut snapshot = testing::healthy();
        let stranger = |id: IpAddr| Stranger { id, seconds: 31.0, rx_packets: 5 };
        let others = (0..20).map(|last| stranger([10, 0, 0, last].into())).collect();
        snapshot.evidence.unknown_peers = Strangers { judge: Some(source()), single: vec![stranger(PEER)], others };
        let [one, many] = judge(&snapshot).try_into().unwrap();
        assert_eq!((one.peer, one.count), (Some(PEER), 5));
        assert_eq!(
            one.cause,
            "198.51.100.2 sends tunnel packets and is no node by ovn_sb tcp:db (7 entries, as of 3 s ago); so for 31 s"
        );
        assert_eq!((many.peer, many.vni, many.count), (None, None, 100));
        assert_eq!((&many.evidence["count"], many.evidence["examples"].as_array().unwrap().len()), (&20.into(), 8));
        assert_eq!(many.evidence["source"], "ovn_sb");
    }
}
