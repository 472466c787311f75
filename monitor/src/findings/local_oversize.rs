//! TM108: this host drops tunnel packets that are too long, before they are on the wire.
//!
//! Nobody says so: the user-space switch's `send` fails, the kernel's Geneve device counts an error. What can be seen is
//! the drop or the refused send itself, where the kernel lets it be seen; that a connection of this node is ahead of all
//! that has left the device; and that the error was counted.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::{Hit, Rule, Severity, value};
use crate::snapshot::{Drops, Hole, Snapshot};

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
    longest_lost_length_bytes: Option<u32>,
    dropped: u64,
    symbol: Option<String>,
    reason: Option<String>,
    missing_bytes: u32,
    flows: usize,
    geneve_errors: u64,
    fragmentation_failures: u64,
    recommended_inner_mtu_bytes: Option<u32>,
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
}

/// What is known of one tunnel.
#[derive(Default)]
struct Tunnel<'a> {
    holes: Vec<&'a Hole>,
    drops: Vec<&'a Drops>,
}

fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    let mut tunnels: BTreeMap<(IpAddr, Option<u32>), Tunnel> = BTreeMap::new();
    for hole in snapshot.evidence.holes.iter().filter(|hole| snapshot.evidence.is_here && is_ahead(hole)) {
        tunnels.entry((hole.peer, Some(hole.vni))).or_default().holes.push(hole);
    }
    for drop in snapshot.evidence.drops.iter().filter(|drop| is_for_size(snapshot, drop)) {
        tunnels.entry((drop.peer, drop.vni)).or_default().drops.push(drop);
    }
    let of_tunnel = |((peer, vni), tunnel): ((IpAddr, Option<u32>), Tunnel)| match tunnel.drops.as_slice() {
        [] => of_connections(snapshot, &tunnel.holes),
        _ => of_drops(snapshot, (peer, vni), &tunnel),
    };
    let mut hits: Vec<_> = tunnels.into_iter().map(of_tunnel).collect();
    if hits.is_empty() {
        hits.extend(of_counters(snapshot));
    }
    hits
}

/// Where the kernel drops a packet on its way out for its length; other causes at these places are rare, and do not make a
/// packet long.
const PLACES: [&str; 9] = [
    "packet_snd",
    "tpacket_snd",
    "packet_sendmsg",
    "ip_fragment",
    "ip6_fragment",
    "ip_finish_output",
    "__ip_finish_output",
    "ip6_finish_output",
    "__ip6_finish_output",
];
/// The kernel's own word for it.
const TOO_BIG: &str = "PKT_TOO_BIG";

fn is_for_size(snapshot: &Snapshot, drop: &Drops) -> bool {
    if drop.place.is_refused || drop.place.reason.as_deref() == Some(TOO_BIG) {
        return true;
    }
    let mtu = snapshot.path_mtu(drop.peer).or(snapshot.evidence.mtu_bytes);
    PLACES.contains(&drop.place.symbol.as_str()) && mtu.is_some_and(|mtu| drop.longest_bytes > mtu)
}

fn of_drops(snapshot: &Snapshot, (peer, vni): (IpAddr, Option<u32>), tunnel: &Tunnel) -> Hit {
    // The kernel drops some of those that it refuses: then each is seen twice.
    let are_refused = tunnel.drops.iter().any(|drop| drop.place.is_refused);
    let is_counted =
        |drop: &&&Drops| drop.place.is_refused || !are_refused || !drop.place.symbol.starts_with("packet_");
    let counted: Vec<&Drops> = tunnel.drops.iter().filter(is_counted).copied().collect();
    let most = counted.iter().max_by_key(|drop| drop.count).map(|drop| drop.place.clone());
    let dropped = counted.iter().map(|drop| drop.count).sum();
    let first = tunnel.holes.first();
    let evidence = Evidence {
        lost_length_bytes: counted.iter().map(|drop| drop.shortest_bytes).min(),
        longest_lost_length_bytes: counted.iter().map(|drop| drop.longest_bytes).max(),
        dropped,
        symbol: most.as_ref().map(|place| place.symbol.clone()),
        reason: most.and_then(|place| place.reason),
        missing_bytes: tunnel.holes.iter().map(|hole| hole.missing_bytes).sum(),
        flows: tunnel.holes.len(),
        source: first.map(|hole| hole.source.0),
        destination: first.map(|hole| hole.destination.0),
        ..of_host(snapshot, Some(peer))
    };
    let [shortest, longest] =
        [evidence.lost_length_bytes, evidence.longest_lost_length_bytes].map(Option::unwrap_or_default);
    let lengths = if shortest == longest { shortest.to_string() } else { format!("{shortest} to {longest}") };
    let place = evidence.symbol.as_deref().unwrap_or_default();
    let cause =
        format!("this host dropped {dropped} packets of {lengths} bytes to {peer} that are too long, in {place}");
    hit(vni, Some(peer), dropped, cause, &evidence)
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
    let mtu = peer.and_then(|peer| snapshot.path_mtu(peer)).or(snapshot.evidence.mtu_bytes);
    Evidence {
        device_mtu_bytes: snapshot.evidence.mtu_bytes,
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
    use crate::snapshot::{Host, Path, Place};

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
        let mut narrow = ahead(hole.clone());
        narrow.peers.push(testing::peer(Path::new(Some(1500), None, Some(1400), None)));
        let [hit] = judge(&narrow).try_into().unwrap();
        assert_eq!(hit.evidence["recommended_inner_mtu_bytes"], 1350, "never more than the path that is known");
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

    fn dropped(symbol: &str, reason: Option<&str>, lengths: [u32; 2]) -> Drops {
        let is_refused = reason == Some("EMSGSIZE");
        let place = Place { symbol: symbol.to_owned(), reason: reason.map(ToOwned::to_owned), is_refused };
        Drops { peer: PEER, vni: Some(100), place, count: 3, shortest_bytes: lengths[0], longest_bytes: lengths[1] }
    }

    fn with(drops: Vec<Drops>) -> Snapshot {
        let mut snapshot = testing::healthy();
        snapshot.evidence.drops = drops;
        snapshot
    }

    #[test]
    fn a_drop_for_its_length_is_told_with_its_place() {
        let long = dropped("ip_fragment", Some("NOT_SPECIFIED"), [1504, 1550]);
        let [hit] = judge(&with(vec![long])).try_into().unwrap();
        assert_eq!((hit.vni, hit.peer, hit.count), (Some(100), Some(PEER), 3));
        let told =
            ["lost_length_bytes", "longest_lost_length_bytes", "symbol", "reason", "recommended_inner_mtu_bytes"];
        let expected: [serde_json::Value; 5] =
            [1504.into(), 1550.into(), "ip_fragment".into(), "NOT_SPECIFIED".into(), 1450.into()];
        assert_eq!(told.map(|name| hit.evidence[name].clone()), expected);
        let forwarded = dropped("ip_forward", Some("PKT_TOO_BIG"), [1450, 1450]);
        assert_eq!(judge(&with(vec![forwarded])).len(), 1, "the next device is not this one");
    }

    #[test]
    fn other_drops_and_short_ones_are_not_for_length() {
        for other in [
            dropped("ip_fragment", None, [1500, 1500]),
            dropped("sch_direct_xmit", Some("QDISC_DROP"), [1504, 1504]),
            dropped("0xffffffff81000000", Some("NOT_SPECIFIED"), [1504, 1504]),
        ] {
            assert_eq!(judge(&with(vec![other.clone()])), [], "{other:?}");
        }
    }

    #[test]
    fn what_is_refused_and_dropped_is_counted_once() {
        let both = ["NOT_SPECIFIED", "EMSGSIZE"].map(|reason| dropped("packet_sendmsg", Some(reason), [1504, 1504]));
        let hole = Hole { is_ahead: true, missing_bytes: 9, age_seconds: 9.0, ..testing::hole() };
        let mut snapshot = ahead(hole);
        snapshot.evidence.drops = both.to_vec();
        let [hit] = judge(&snapshot).try_into().unwrap();
        assert_eq!((hit.count, &hit.evidence["reason"], &hit.evidence["flows"]), (3, &"EMSGSIZE".into(), &1.into()));
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
