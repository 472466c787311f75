//! TM109: tunnel packets arrive in fragments, and this node fails to put some together.

use serde::Serialize;

use super::{Hit, Rule, Severity, value};
use crate::snapshot::{Datagrams, Pieces, Snapshot};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "TM109",
    kind: "reassembly_failures",
    severity: Severity::Critical,
    page: include_str!("../../../docs/findings/TM109.md"),
    judge,
};

/// Of the host.
#[derive(Serialize)]
struct Evidence {
    reassembly_failures: u64,
    reassembly_timeouts: u64,
    reassembled: u64,
    rx_fragments: u64,
    orphans: u64,
}

/// Of a tunnel.
#[derive(Serialize)]
struct Missing {
    direction: &'static str,
    incomplete_datagrams: u64,
    complete_datagrams: u64,
    later_fragments: u64,
}

fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    let tunnels = snapshot.evidence.datagrams.iter().filter(|row| is_missed(snapshot, row)).filter_map(missing);
    host(snapshot).into_iter().chain(tunnels).collect()
}

/// A capture by port has no later fragments at all: there they are not missed until one came.
fn is_missed(snapshot: &Snapshot, row: &Datagrams) -> bool {
    let is_capture = snapshot.evidence.host.is_none();
    row.pieces.incomplete_datagrams != 0 && !(is_capture && row.pieces.later_fragments == 0)
}

fn missing(row: &Datagrams) -> Option<Hit> {
    let Pieces { incomplete_datagrams, complete_datagrams, later_fragments, .. } = row.pieces;
    let who = if row.is_transmitted { format!("to {}", row.peer) } else { format!("from {}", row.peer) };
    Some(Hit {
        vni: Some(row.vni?),
        peer: Some(row.peer),
        count: incomplete_datagrams,
        cause: format!(
            "of {} tunnel packets {who} that came in fragments, {incomplete_datagrams} lack some within a second: nobody \
             can put them together",
            incomplete_datagrams + complete_datagrams
        ),
        fix:
            "avoid the fragments (TM104); else find what drops some on the way: firewalls that know later fragments by \
              no port, full queues"
                .to_owned(),
        test: format!("tcpdump -ni DEVICE 'host {} and ip[6:2] & 0x3fff != 0'", row.peer),
        evidence: value(&Missing {
            direction: if row.is_transmitted { "tx" } else { "rx" },
            incomplete_datagrams,
            complete_datagrams,
            later_fragments,
        }),
    })
}

/// The host's counter is of all datagrams: it is the tunnels' only if they came in fragments at that time.
fn host(snapshot: &Snapshot) -> Option<Hit> {
    let host = snapshot.evidence.host.filter(|host| host.reassembly_failures != 0)?;
    let tunnels = &snapshot.evidence.tunnels;
    let rx_fragments: u64 = tunnels.iter().map(|tunnel| tunnel.rx.outer_fragments).sum();
    let orphans = snapshot.accounting.later_fragments.orphan;
    if rx_fragments == 0 {
        return None;
    }
    let mut peers = tunnels.iter().filter(|tunnel| tunnel.rx.outer_fragments != 0).map(|tunnel| tunnel.peer);
    let first = peers.next();
    // With several peers the counter does not tell whose they were.
    let peer = first.filter(|first| peers.all(|peer| peer == *first));
    Some(Hit {
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
            reassembly_timeouts: host.reassembly_timeouts,
            reassembled: host.reassembled,
            rx_fragments,
            orphans,
        }),
    })
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

    #[test]
    fn datagrams_that_lack_a_piece_are_told_with_their_tunnel_and_without_any_counter() {
        let pieces = Pieces { incomplete_datagrams: 3, complete_datagrams: 9, later_fragments: 9, ..Pieces::default() };
        let [hit] = judge(&testing::incomplete(pieces)).try_into().unwrap();
        assert_eq!((hit.vni, hit.peer, hit.count), (Some(100), Some(PEER), 3));
        assert_eq!((&hit.evidence["direction"], &hit.evidence["complete_datagrams"]), (&"rx".into(), &9.into()));
        let complete = Pieces { incomplete_datagrams: 0, ..pieces };
        assert_eq!(judge(&testing::incomplete(complete)), []);
    }

    #[test]
    fn a_capture_without_any_later_fragment_is_one_by_port() {
        let mut snapshot = testing::incomplete(Pieces { incomplete_datagrams: 3, ..Pieces::default() });
        assert_eq!(judge(&snapshot), []);
        snapshot.evidence.host = Some(Host::default());
        assert_eq!(judge(&snapshot).len(), 1);
    }
}
