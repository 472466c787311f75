//! TM105: pods send fragments through the tunnel.

use serde::Serialize;

use super::{Hit, Rule, Severity, value};
use crate::snapshot::{Snapshot, Tunnel};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "TM105",
    kind: "inner_fragmentation",
    severity: Severity::Info,
    page: include_str!("../../../docs/findings/TM105.md"),
    judge,
};

#[derive(Serialize)]
struct Evidence {
    rx_fragments: u64,
    tx_fragments: u64,
    inner_length_max_bytes: u32,
    is_cut_twice: bool,
}

fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    snapshot.evidence.tunnels.iter().filter(|tunnel| tunnel.inner_fragments() != 0).map(hit).collect()
}

fn hit(tunnel: &Tunnel) -> Hit {
    let is_cut_twice = tunnel.outer_fragments() != 0;
    let twice = if is_cut_twice { ", and the tunnel packets are cut once more" } else { "" };
    Hit {
        vni: Some(tunnel.vni),
        peer: Some(tunnel.peer),
        count: tunnel.inner_fragments(),
        cause: format!("pods of VNI {} send datagrams longer than their MTU, in fragments{twice}", tunnel.vni),
        fix: "let the application send shorter datagrams; a lost fragment loses the whole datagram".to_owned(),
        test: "nstat -az IpFragCreates IpReasmReqds, inside of the pod".to_owned(),
        evidence: value(&Evidence {
            rx_fragments: tunnel.rx.inner_fragments,
            tx_fragments: tunnel.tx.inner_fragments,
            inner_length_max_bytes: tunnel.rx.inner_length_max_bytes.max(tunnel.tx.inner_length_max_bytes),
            is_cut_twice,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::testing;

    #[test]
    fn fragments_of_pods_are_told_and_whether_they_are_cut_twice() {
        let mut snapshot = testing::healthy();
        snapshot.evidence.tunnels[0].tx.inner_fragments = 8;
        let [hit] = judge(&snapshot).try_into().unwrap();
        assert_eq!((hit.count, &hit.evidence["is_cut_twice"]), (8, &false.into()));
        snapshot.evidence.tunnels[0].tx.outer_fragments = 2;
        let [hit] = judge(&snapshot).try_into().unwrap();
        assert!(hit.cause.ends_with("cut once more"), "{}", hit.cause);
    }
}
