//! TM209: tunnel packets go round in the underlay until their hop limit is used up.

use std::net::IpAddr;

use serde::Serialize;

use super::{Hit, Rule, Severity, value};
use crate::snapshot::{Flow, IcmpErrors, Snapshot};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "TM209",
    kind: "underlay_loop",
    severity: Severity::Critical,
    page: include_str!("../../../docs/findings/TM209.md"),
    judge,
};

#[derive(Serialize)]
struct Evidence {
    reporter: IpAddr,
    inner: Option<Flow>,
}

fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    snapshot.genuine_errors().filter(|error| is_expired(error)).map(hit).collect()
}

/// Time to live exceeded in transit (RFC 792), hop limit exceeded in transit (RFC 4443 §3.3).
fn is_expired(error: &IcmpErrors) -> bool {
    let kind = (error.kind, error.code);
    error.is_received && kind == if error.reporter.is_ipv4() { (11, 0) } else { (3, 0) }
}

fn hit(error: &IcmpErrors) -> Hit {
    let IcmpErrors { reporter, peer, .. } = *error;
    Hit {
        vni: error.vni,
        peer: Some(peer),
        count: error.count,
        cause: format!(
            "tunnel packets to {peer} have used up their hop limit at {reporter}: a loop, or too small a limit"
        ),
        fix: format!("follow the route to {peer}; options:ttl of the tunnel's interface should be 64"),
        test: format!("traceroute -n {peer}"),
        evidence: value(&Evidence { reporter, inner: error.flow }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::testing::{self, errors};

    #[test]
    fn an_expired_packet_is_told_and_one_that_waited_for_fragments_is_not() {
        assert_eq!(judge(&errors(IcmpErrors { kind: 11, code: 0, ..testing::error() })).len(), 1);
        assert_eq!(judge(&errors(IcmpErrors { kind: 11, code: 1, ..testing::error() })), []);
    }
}
