//! Snapshots for the tests of rules.

use std::net::{IpAddr, Ipv4Addr};

use crate::aggregate::{Aggregate, Limits};
use crate::counts::{ByKind, Counts};
use crate::inventory::{Kind, Name};
use crate::snapshot::{
    Datagrams, DfClear, Fragments, Hole, IcmpErrors, Judge, Path, Peer, Pieces, Sizes, Snapshot, Traffic, Tunnel, Vni,
    Way,
};

pub(super) const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
pub(super) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 2));
pub(super) const ROUTER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 254));

/// One tunnel with traffic and nothing else.
pub(crate) fn healthy() -> Snapshot {
    let limits = Limits { max_vnis: 8, max_peers: 8, idle_ns: u64::MAX };
    let mut snapshot = Aggregate::new("eth0", 1500, limits).interval(&Counts::default(), &ByKind::default(), 1.0);
    let way = Way { packets: 100, outer_length_max_bytes: 1442, inner_length_max_bytes: 1392, ..Way::default() };
    let tunnel = Tunnel { vni: 100, peer: PEER, local: LOCAL, overhead_bytes: 50, rx: way, tx: way };
    snapshot.evidence.tunnels.push(tunnel);
    snapshot
}

/// So many outer fragments received.
pub(super) fn fragments(count: u64) -> Snapshot {
    let mut snapshot = healthy();
    snapshot.evidence.tunnels[0].rx.outer_fragments = count;
    snapshot
}

/// The peer, with such a way to it.
pub(crate) fn peer(path: Path) -> Peer {
    let limits = Limits { max_vnis: 8, max_peers: 8, idle_ns: u64::MAX };
    Peer { path, ..Aggregate::new("eth0", 1500, limits).unseen(PEER) }
}

/// A network of which packets are received.
pub(crate) fn received(vni: u32) -> Vni {
    let traffic = Traffic { rx_packets: 3, ..Traffic::default() };
    Vni {
        vni,
        network: None,
        traffic,
        df_clear: DfClear::default(),
        sizes: Sizes::default(),
        fragments: Fragments::default(),
        ways: Default::default(),
        rtt: Vec::new(),
    }
}

/// A source that knows all.
pub(super) fn judge() -> Judge {
    Judge { source: Kind::OvnSb, from: Name::new("tcp:db"), entries: 7, age_seconds: Some(3) }
}

/// Data to the peer that was never sent again, of which nothing is known.
pub(super) fn hole() -> Hole {
    let [source, destination] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(|pod| (IpAddr::from(pod), 5000));
    Hole {
        vni: 100,
        peer: PEER,
        source,
        destination,
        is_transmitted: true,
        is_echo: false,
        is_closed: false,
        steps: 1,
        times: 0,
        confirmed_times: 0,
        length_bytes: Some(1550),
        given_up_length_bytes: None,
        missing_bytes: 0,
        is_ahead: false,
        is_receiver_there: true,
        age_seconds: 2.0,
        steady_seconds: 0.0,
        delivered_since_bytes: None,
        delivered_lately_bytes: None,
    }
}

/// The same, of which some datagrams lack a piece.
pub(super) fn incomplete(pieces: Pieces) -> Snapshot {
    let mut snapshot = fragments(4);
    let row = Datagrams { vni: Some(100), peer: PEER, local: LOCAL, is_transmitted: false, pieces };
    snapshot.evidence.datagrams.push(row);
    snapshot
}

/// Errors of no kind, about long packets of the tunnel.
pub(super) fn error() -> IcmpErrors {
    IcmpErrors {
        reporter: ROUTER,
        peer: PEER,
        local: LOCAL,
        is_received: true,
        vni: Some(100),
        kind: 0,
        code: 0,
        mtu_bytes: None,
        quoted_bytes: 548,
        quoted_length_bytes: 1478,
        quoted_df: true,
        flow: None,
        count: 4,
    }
}

/// A healthy tunnel with such errors.
pub(super) fn errors(errors: IcmpErrors) -> Snapshot {
    let mut snapshot = healthy();
    snapshot.evidence.icmp_errors.push(errors);
    snapshot
}
