//! TM207: tunnel packets come with a VNI that is of no network, by an inventory that knows all networks.

use super::unknown_peer::{hits, nothing};
use super::{Hit, Rule, Severity};
use crate::snapshot::Snapshot;

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "TM207",
    kind: "unknown_vni",
    severity: Severity::Warning,
    page: include_str!("../../../docs/findings/TM207.md"),
    judge,
};

const FIX: &str =
    "if the network is yours, see why it is not listed there; if it was removed, find out who still sends";

fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    let told = |vni: u32| Hit {
        vni: Some(vni),
        cause: format!("tunnel packets come with VNI {vni}, which is of no network"),
        // The VNI is in the upper 24 bits of the second word behind the UDP header (RFC 8926 §3.4).
        test: format!("tcpdump -n -c 10 -i {} 'udp port 6081 and udp[12:4] >> 8 = {vni}'", snapshot.device),
        ..nothing(FIX)
    };
    let others = |count: usize| Hit {
        cause: format!("tunnel packets come with {count} more VNIs, which are of no networks"),
        test: format!("tcpdump -n -c 100 -i {} udp port 6081", snapshot.device),
        ..nothing(FIX)
    };
    hits(&snapshot.evidence.unknown_networks, told, others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::testing;
    use crate::snapshot::{Stranger, Strangers};

    #[test]
    fn an_unknown_vni_is_told_and_without_a_source_none_is() {
        let mut snapshot = testing::healthy();
        let single = vec![Stranger { id: 5, seconds: 31.0, rx_packets: 2 }];
        snapshot.evidence.unknown_networks =
            Strangers { judge: Some(testing::judge()), single, ..Strangers::default() };
        let [hit] = judge(&snapshot).try_into().unwrap();
        assert_eq!((hit.vni, hit.peer, hit.count), (Some(5), None, 2));
        assert!(hit.cause.contains("VNI 5") && hit.cause.contains("ovn_sb tcp:db"), "{}", hit.cause);
        snapshot.evidence.unknown_networks.judge = None;
        assert_eq!(judge(&snapshot), []);
    }
}
