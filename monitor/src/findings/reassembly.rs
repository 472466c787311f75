//! TM109: tunnel packets arrive in fragments, and this node fails to put some together.

use serde::Serialize;

use super::{Hit, Rule, Severity, value};
use crate::snapshot::Snapshot;

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "TM109",
    kind: "reassembly_failures",
    severity: Severity::Critical,
    page: include_str!("../../../docs/findings/TM109.md"),
    judge,
};

#[derive(Serialize)]
struct Evidence {
    reassembly_failures: u64,
    reassembled: u64,
    rx_fragments: u64,
    orphans: u64,
}

/// The host's counter is of all datagrams: it is the tunnels' only if they came in fragments at that time.
fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    let Some(host) = snapshot.evidence.host.filter(|host| host.reassembly_failures != 0) else { return Vec::new() };
    let tunnels = &snapshot.evidence.tunnels;
    let rx_fragments: u64 = tunnels.iter().map(|tunnel| tunnel.rx.outer_fragments).sum();
    let orphans = snapshot.accounting.later_fragments.orphan;
    if rx_fragments == 0 {
        return Vec::new();
    }
    let mut peers = tunnels.iter().filter(|tunnel| tunnel.rx.outer_fragments != 0).map(|tunnel| tunnel.peer);
    let first = peers.next();
    // With several peers the counter does not tell whose they were.
    let peer = first.filter(|first| peers.all(|peer| peer == *first));
    vec![Hit {
        vni: None,
        peer,
        count: host.reassembly_failures,
        cause:
            "fragments of tunnel packets are missing, late or too many, so this node drops the rest of their packets"
                .to_owned(),
        fix: "avoid the fragments (TM104); else find where some are lost, and look at net.ipv4.ipfrag_high_thresh"
            .to_owned(),
        test: "nstat -az IpReasmFails IpReasmTimeout Ip6ReasmFails".to_owned(),
        evidence: value(&Evidence {
            reassembly_failures: host.reassembly_failures,
            reassembled: host.reassembled,
            rx_fragments,
            orphans,
        }),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::testing::{self, PEER};
    use crate::snapshot::Host;

    #[test]
    fn failures_count_only_while_tunnel_packets_are_fragmented() {
        let failed = Some(Host { reassembly_failures: 5, ..Host::default() });
        let mut snapshot = testing::healthy();
        snapshot.evidence.host = failed;
        assert_eq!(judge(&snapshot), []);
        let mut snapshot = testing::fragments(4);
        assert_eq!(judge(&snapshot), []);
        snapshot.evidence.host = failed;
        let [hit] = judge(&snapshot).try_into().unwrap();
        assert_eq!((hit.count, hit.peer), (5, Some(PEER)));
    }
}
