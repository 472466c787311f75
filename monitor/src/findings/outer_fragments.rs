//! TM104: tunnel packets are cut into fragments on the underlay.

use std::net::IpAddr;

use serde::Serialize;

use super::port_closed::{self, is_about_fragments};
use super::{Hit, Rule, Severity, direction, value};
use crate::snapshot::{Datagrams, IcmpErrors, Pieces, Snapshot, Tunnel};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "TM104",
    kind: "outer_fragmentation",
    severity: Severity::Warning,
    page: include_str!("../../../docs/findings/TM104.md"),
    judge,
};

#[derive(Serialize)]
struct Evidence {
    direction: &'static str,
    rx_fragments: u64,
    tx_fragments: u64,
    /// Tunnel packets for which the peer says that it cannot put them together.
    undeliverable_packets: u64,
    outer_length_max_bytes: Option<u32>,
    df_clear: bool,
    /// Whether every fragment had its event: only then something is known to be missing, or to overlap.
    has_all_pieces: bool,
    rx: Pieces,
    tx: Pieces,
}

fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    let cut = snapshot.evidence.tunnels.iter().filter(|tunnel| is_cut(snapshot, tunnel));
    let refused = port_closed::refusals(snapshot).filter(|error| is_about_fragments(snapshot, error));
    let headless = snapshot.evidence.datagrams.iter().filter(|row| is_headless(snapshot, row));
    let refused = refused.map(undeliverable).chain(headless.map(|row| nameless(row, snapshot)));
    cut.map(|tunnel| fragments(tunnel, snapshot)).chain(refused).collect()
}

/// What overlaps is known a second after it came, perhaps the last of all fragments.
fn is_cut(snapshot: &Snapshot, tunnel: &Tunnel) -> bool {
    let overlaps = || snapshot.evidence.pieces(tunnel).iter().any(|pieces| pieces.overlapping_fragments != 0);
    tunnel.outer_fragments() != 0 || overlaps()
}

/// Tiny fragments that do not say whose they are, from or to a peer that takes part in a tunnel.
fn is_headless(snapshot: &Snapshot, row: &Datagrams) -> bool {
    let is_known = || snapshot.evidence.to(row.peer).any(|tunnel| tunnel.local == row.local);
    row.vni.is_none() && row.pieces.tiny_fragments != 0 && is_known()
}

fn nameless(row: &Datagrams, snapshot: &Snapshot) -> Hit {
    let (rx, tx) = if row.is_transmitted { (Pieces::default(), row.pieces) } else { (row.pieces, Pieces::default()) };
    let evidence = Evidence {
        direction: if row.is_transmitted { "tx" } else { "rx" },
        rx_fragments: rx.tiny_fragments,
        tx_fragments: tx.tiny_fragments,
        undeliverable_packets: 0,
        outer_length_max_bytes: None,
        df_clear: true,
        has_all_pieces: snapshot.evidence.has_all_pieces,
        rx,
        tx,
    };
    let cause = format!(
        "first fragments between {} and this node are too short to say whose they are: no link asks for such, but who \
         wants to get past filters sends them (RFC 1858)",
        row.peer
    );
    finish(None, row.peer, row.pieces.tiny_fragments, cause, &evidence)
}

fn fragments(tunnel: &Tunnel, snapshot: &Snapshot) -> Hit {
    let [rx_pieces, tx_pieces] = snapshot.evidence.pieces(tunnel);
    let (rx, tx) = (tunnel.rx.outer_fragments, tunnel.tx.outer_fragments);
    let direction = direction(rx + rx_pieces.overlapping_fragments, tx + tx_pieces.overlapping_fragments);
    let who = match direction {
        "rx" => format!("tunnel packets from {} arrive in fragments", tunnel.peer),
        "tx" => format!("this node sends tunnel packets to {} in fragments", tunnel.peer),
        _ => format!("tunnel packets to and from {} are fragmented", tunnel.peer),
    };
    let longest = if tx == 0 { tunnel.rx } else { tunnel.tx }.outer_length_max_bytes;
    let evidence = Evidence {
        direction,
        rx_fragments: rx,
        tx_fragments: tx,
        undeliverable_packets: 0,
        outer_length_max_bytes: (longest != 0).then_some(longest),
        df_clear: tunnel.cut_in_silence() != [0, 0],
        has_all_pieces: snapshot.evidence.has_all_pieces,
        rx: rx_pieces,
        tx: tx_pieces,
    };
    finish(
        Some(tunnel.vni),
        tunnel.peer,
        rx + tx,
        format!("{who}: they are longer than a link of the underlay takes"),
        &evidence,
    )
}

fn undeliverable(error: &IcmpErrors) -> Hit {
    let evidence = Evidence {
        direction: "tx",
        rx_fragments: 0,
        tx_fragments: 0,
        undeliverable_packets: error.count,
        outer_length_max_bytes: None,
        df_clear: true,
        has_all_pieces: false,
        rx: Pieces::default(),
        tx: Pieces::default(),
    };
    let cause = format!(
        "tunnel packets of {} bytes without DF reach {} in fragments, which its switch does not put together",
        error.quoted_length_bytes, error.peer
    );
    finish(error.vni, error.peer, error.count, cause, &evidence)
}

fn finish(vni: Option<u32>, peer: IpAddr, count: u64, cause: String, evidence: &Evidence) -> Hit {
    Hit {
        vni,
        peer: Some(peer),
        count,
        cause,
        fix: "set the MTU of the pods so that tunnel packets fit the path (device MTU less the column OVERH), or raise the \
              path's MTU"
            .to_owned(),
        test: format!("tcpdump -ni DEVICE 'host {peer} and ip[6:2] & 0x3fff != 0'"),
        evidence: value(evidence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::testing::{self, PEER};

    #[test]
    fn fragments_are_told_with_their_direction() {
        let [hit] = judge(&testing::fragments(6)).try_into().unwrap();
        assert_eq!((hit.vni, hit.peer, hit.count), (Some(100), Some(PEER), 6));
        assert_eq!((&hit.evidence["direction"], &hit.evidence["rx_fragments"]), (&"rx".into(), &6.into()));
    }

    #[test]
    fn refused_long_packets_of_a_peer_that_answers_short_ones_are_fragments() {
        let refused = IcmpErrors { kind: 3, code: 3, reporter: PEER, quoted_df: false, ..testing::error() };
        let [hit] = judge(&testing::errors(refused)).try_into().unwrap();
        assert_eq!((hit.peer, &hit.evidence["undeliverable_packets"]), (Some(PEER), &4.into()));
    }

    #[test]
    fn what_is_known_of_the_pieces_stands_in_the_evidence_of_its_direction() {
        let snapshot = testing::incomplete(Pieces { late_first_fragments: 2, ..Pieces::default() });
        let [hit] = judge(&snapshot).try_into().unwrap();
        let late = |way: &str| hit.evidence[way]["late_first_fragments"].clone();
        assert_eq!((late("rx"), late("tx")), (2.into(), 0.into()));
    }

    #[test]
    fn first_fragments_that_say_nothing_are_told_of_peers_alone() {
        let mut snapshot = testing::incomplete(Pieces { tiny_fragments: 5, ..Pieces::default() });
        snapshot.evidence.tunnels[0].rx.outer_fragments = 0;
        snapshot.evidence.datagrams[0].vni = None;
        let [hit] = judge(&snapshot).try_into().unwrap();
        assert_eq!((hit.vni, hit.peer, hit.count), (None, Some(PEER), 5));
        snapshot.evidence.datagrams[0].peer = testing::ROUTER;
        assert_eq!(judge(&snapshot), []);
    }
}
