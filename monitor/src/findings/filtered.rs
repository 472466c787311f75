//! TM203: a filter on the way forbids tunnel packets.

use std::net::IpAddr;

use serde::Serialize;

use super::{Hit, Rule, Severity, value};
use crate::snapshot::{Flow, IcmpErrors, Snapshot};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "TM203",
    kind: "administratively_filtered",
    severity: Severity::Critical,
    page: include_str!("../../../docs/findings/TM203.md"),
    judge,
};

#[derive(Serialize)]
struct Evidence {
    reporter: IpAddr,
    icmp_type: u8,
    icmp_code: u8,
    inner: Option<Flow>,
}

fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    snapshot.genuine_errors().filter(|error| is_filtered(error)).map(hit).collect()
}

/// Network, host or communication prohibited (RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1, RFC 4443 §3.1).
fn is_filtered(error: &IcmpErrors) -> bool {
    let is_meant = match error.reporter {
        IpAddr::V4(_) => error.kind == 3 && matches!(error.code, 9 | 10 | 13),
        IpAddr::V6(_) => error.kind == 1 && error.code == 1,
    };
    error.is_received && is_meant
}

fn hit(error: &IcmpErrors) -> Hit {
    let IcmpErrors { reporter, peer, kind, code, .. } = *error;
    Hit {
        vni: error.vni,
        peer: Some(peer),
        count: error.count,
        cause: format!("a filter at {reporter} forbids tunnel packets to {peer}"),
        fix: format!("allow UDP port 6081 to {peer} there, in both directions"),
        test: format!("nc -uvz {peer} 6081; iptables -S or nft list ruleset at {reporter}"),
        evidence: value(&Evidence { reporter, icmp_type: kind, icmp_code: code, inner: error.flow }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::testing::{self, PEER, errors};

    #[test]
    fn each_kind_of_prohibition_is_told_and_nothing_else() {
        for (code, expected) in [(9, 1), (10, 1), (13, 1), (1, 0), (3, 0), (4, 0)] {
            let hits = judge(&errors(IcmpErrors { kind: 3, code, ..testing::error() }));
            assert_eq!(hits.len(), expected, "{code}");
            assert!(hits.iter().all(|hit| hit.peer == Some(PEER)));
        }
    }
}
