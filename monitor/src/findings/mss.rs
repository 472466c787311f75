//! TM103: a connection agrees on segments that do not fit the tunnel.

use std::net::IpAddr;

use serde::Serialize;

use super::{Hit, Rule, Severity, value};
use crate::snapshot::{Handshakes, Snapshot};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "TM103",
    kind: "mss_exceeds_tunnel",
    severity: Severity::Warning,
    page: include_str!("../../../docs/findings/TM103.md"),
    judge,
};

#[derive(Serialize)]
struct Evidence {
    mss_bytes: u32,
    needed_length_bytes: u32,
    path_mtu_bytes: u32,
    path_mtu_source: &'static str,
    overhead_bytes: u32,
    fitting_mss_bytes: u32,
    recommended_inner_mtu_bytes: u32,
    pod: IpAddr,
    other_pod: IpAddr,
}

fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    snapshot.evidence.handshakes.iter().filter_map(|handshakes| hit(snapshot, handshakes)).collect()
}

fn hit(snapshot: &Snapshot, handshakes: &Handshakes) -> Option<Hit> {
    let Handshakes { vni, peer, mss_bytes, pods: [pod, other_pod], .. } = *handshakes;
    let needed = handshakes.outer_length_bytes;
    let (limit, source) = limit(snapshot, peer)?;
    if needed <= limit {
        return None;
    }
    let overhead = needed - handshakes.inner_length_bytes;
    let recommended = limit.saturating_sub(overhead);
    let fitting = mss_bytes.saturating_sub(needed - limit);
    Some(Hit {
        vni: Some(vni),
        peer: Some(peer),
        count: handshakes.count,
        cause: format!(
            "{pod} and {other_pod} agree on an MSS of {mss_bytes}: its packets need {needed} bytes in the tunnel, and {} \
             takes {limit}",
            match source {
                "device" => "the device",
                _ => "the path",
            }
        ),
        fix: format!("set the MTU of the pods to {recommended} or less, or clamp the MSS to {fitting}"),
        test: format!("tunmon mtu {peer}"),
        evidence: value(&Evidence {
            mss_bytes,
            needed_length_bytes: needed,
            path_mtu_bytes: limit,
            path_mtu_source: source,
            overhead_bytes: overhead,
            fitting_mss_bytes: fitting,
            recommended_inner_mtu_bytes: recommended,
            pod,
            other_pod,
        }),
    })
}

/// The least that is known to fit, and who says so: the device, the route, what was learned, or a router.
fn limit(snapshot: &Snapshot, peer: IpAddr) -> Option<(u32, &'static str)> {
    let path = snapshot.peer(peer).map(|row| &row.path);
    let known = path.and_then(|path| path.path_mtu_bytes.zip(path.path_mtu_source));
    known.or_else(|| snapshot.evidence.mtu_bytes.map(|mtu| (mtu, "device")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::testing::{self, PEER};
    use crate::snapshot::Path;

    fn agreed(mss_bytes: u32) -> Snapshot {
        let mut snapshot = testing::healthy();
        let pods = ["10.0.0.1", "10.0.0.2"].map(|pod| pod.parse().unwrap());
        let (inner, outer) = (mss_bytes + 40, mss_bytes + 40 + 58);
        let row = Handshakes {
            vni: 7,
            peer: PEER,
            mss_bytes,
            pods,
            inner_length_bytes: inner,
            outer_length_bytes: outer,
            count: 3,
        };
        snapshot.evidence.handshakes.push(row);
        snapshot
    }

    #[test]
    fn what_fits_to_the_byte_is_no_finding_and_one_more_is() {
        assert_eq!(judge(&agreed(1402)), []);
        let [hit] = judge(&agreed(1403)).try_into().unwrap();
        assert_eq!((hit.vni, hit.peer, hit.count), (Some(7), Some(PEER), 3));
        let evidence = |name: &str| hit.evidence[name].as_u64();
        let told = ["needed_length_bytes", "path_mtu_bytes", "fitting_mss_bytes", "recommended_inner_mtu_bytes"];
        assert_eq!(told.map(evidence), [Some(1501), Some(1500), Some(1402), Some(1442)]);
    }

    #[test]
    fn a_smaller_path_that_a_router_tells_of_counts() {
        let mut snapshot = agreed(1402);
        snapshot.peers.push(testing::peer(Path::new(Some(1500), None, Some(1400), None)));
        let [hit] = judge(&snapshot).try_into().unwrap();
        assert_eq!((&hit.evidence["path_mtu_source"], &hit.evidence["path_mtu_bytes"]), (&"icmp".into(), &1400.into()));
    }

    #[test]
    fn without_any_known_limit_nothing_is_said() {
        let mut snapshot = agreed(9000);
        snapshot.evidence.mtu_bytes = None;
        assert_eq!(judge(&snapshot), []);
    }
}
