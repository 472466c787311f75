//! TM108: this host drops tunnel packets that are too long, before they are on the wire.
//!
//! Nobody says so: the user-space switch's `send` fails, the kernel's Geneve device counts an error. What can be seen is
//! that a connection of this node is ahead of all that has left the device, and that the error was counted.

use std::net::IpAddr;

use serde::Serialize;

use super::{Hit, Rule, Severity, value};
use crate::snapshot::{Hole, Snapshot};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "TM108",
    kind: "local_oversize_drop",
    severity: Severity::Critical,
    page: include_str!("../../../docs/findings/TM108.md"),
    judge,
};

#[derive(Serialize, Default)]
struct Evidence {
    device_mtu_bytes: Option<u32>,
    lost_length_bytes: Option<u32>,
    missing_bytes: u32,
    flows: usize,
    geneve_errors: u64,
    fragmentation_failures: u64,
    recommended_inner_mtu_bytes: Option<u32>,
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
}

fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    let holes = snapshot.evidence.holes.iter().filter(|hole| snapshot.evidence.is_here && is_ahead(hole));
    let mut ahead: Vec<&Hole> = holes.collect();
    ahead.sort_by_key(|hole| (hole.peer, hole.vni));
    let tunnels = ahead.chunk_by(|a, b| (a.peer, a.vni) == (b.peer, b.vni));
    let mut hits: Vec<_> = tunnels.map(|holes| of_connections(snapshot, holes)).collect();
    if hits.is_empty() {
        hits.extend(of_counters(snapshot));
    }
    hits
}

/// What the pod has sent and the device has not: retransmissions have not come by either, for seconds.
fn is_ahead(hole: &Hole) -> bool {
    hole.is_transmitted && hole.is_ahead && hole.times == 0 && hole.missing_bytes != 0 && hole.age_seconds >= 3.0
}

fn of_connections(snapshot: &Snapshot, holes: &[&Hole]) -> Hit {
    let first = holes.first();
    let (vni, peer) = (first.map(|hole| hole.vni), first.map(|hole| hole.peer));
    let missing = holes.iter().map(|hole| hole.missing_bytes).sum();
    let evidence = Evidence {
        lost_length_bytes: holes.iter().filter_map(|hole| hole.length_bytes).min(),
        missing_bytes: missing,
        flows: holes.len(),
        source: first.map(|hole| hole.source.0),
        destination: first.map(|hole| hole.destination.0),
        ..of_host(snapshot, peer)
    };
    let length = evidence.lost_length_bytes.map_or_else(String::new, |bytes| format!(" of {bytes} bytes"));
    let cause = format!(
        "connections to {} have sent {missing} bytes in packets{length} that never left this host",
        peer.map_or_else(|| "the peer".to_owned(), |peer| peer.to_string())
    );
    hit(vni, peer, holes.iter().map(|hole| hole.steps).sum::<u64>().max(1), cause, &evidence)
}

/// Without any connection that shows it: what the tunnel device of the kernel has counted.
fn of_counters(snapshot: &Snapshot) -> Option<Hit> {
    let evidence = of_host(snapshot, None);
    let cause = format!("the tunnel device has refused {} packets that are too long", evidence.geneve_errors);
    (evidence.geneve_errors != 0).then(|| hit(None, None, evidence.geneve_errors, cause, &evidence))
}

fn of_host(snapshot: &Snapshot, peer: Option<IpAddr>) -> Evidence {
    let host = snapshot.evidence.host.unwrap_or_default();
    let overhead = peer.and_then(|peer| snapshot.evidence.overhead(peer));
    let mtu = snapshot.evidence.mtu_bytes;
    Evidence {
        device_mtu_bytes: mtu,
        geneve_errors: host.geneve_errors,
        fragmentation_failures: host.fragmentation_failures,
        recommended_inner_mtu_bytes: mtu.zip(overhead).and_then(|(mtu, overhead)| mtu.checked_sub(overhead)),
        ..Evidence::default()
    }
}

fn hit(vni: Option<u32>, peer: Option<IpAddr>, count: u64, cause: String, evidence: &Evidence) -> Hit {
    let mtu = evidence.recommended_inner_mtu_bytes;
    let fits = mtu.map_or_else(|| "the device's MTU less what the tunnel adds".to_owned(), |mtu| mtu.to_string());
    Hit {
        vni,
        peer,
        count,
        cause,
        fix: format!("set the MTU of the pods to {fits}, or raise the MTU of the device"),
        test: "grep 'Message too long' /var/log/openvswitch/ovs-vswitchd.log; ip -s link show type geneve".to_owned(),
        evidence: value(evidence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::testing::{self, PEER};
    use crate::snapshot::Host;

    fn ahead(hole: Hole) -> Snapshot {
        let mut snapshot = testing::healthy();
        snapshot.evidence.is_here = true;
        snapshot.evidence.holes.push(hole);
        snapshot
    }

    #[test]
    fn a_connection_that_is_ahead_of_the_device_names_itself() {
        let hole = Hole { is_ahead: true, missing_bytes: 17_376, age_seconds: 9.0, ..testing::hole() };
        let [hit] = judge(&ahead(hole.clone())).try_into().unwrap();
        assert_eq!((hit.vni, hit.peer), (Some(100), Some(PEER)));
        assert_eq!(
            (&hit.evidence["missing_bytes"], &hit.evidence["recommended_inner_mtu_bytes"]),
            (&17_376.into(), &1450.into())
        );
        let mut guessed = ahead(hole.clone());
        guessed.evidence.is_here = false;
        assert_eq!(judge(&guessed), [], "it may be the capture of the other node");
        for other in [
            Hole { is_transmitted: false, ..hole.clone() },
            Hole { is_ahead: false, ..hole.clone() },
            Hole { times: 1, ..hole.clone() },
            Hole { age_seconds: 1.0, ..hole },
        ] {
            assert_eq!(judge(&ahead(other.clone())), [], "{other:?}");
        }
    }

    #[test]
    fn the_tunnel_device_is_believed_and_the_hosts_other_fragments_are_not() {
        let mut snapshot = testing::healthy();
        snapshot.evidence.host = Some(Host { fragmentation_failures: 9, ..Host::default() });
        assert_eq!(judge(&snapshot), [], "a forwarded packet of anybody counts there too");
        snapshot.evidence.host = Some(Host { geneve_errors: 4, ..Host::default() });
        let [hit] = judge(&snapshot).try_into().unwrap();
        assert_eq!((hit.count, &hit.evidence["geneve_errors"]), (4, &4.into()));
    }
}
