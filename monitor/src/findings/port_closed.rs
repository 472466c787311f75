//! TM202: the other end has nothing that takes tunnel packets.

use std::net::IpAddr;

use serde::Serialize;

use super::{Hit, Rule, Severity, value};
use crate::snapshot::{Flow, IcmpErrors, Snapshot};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "TM202",
    kind: "tunnel_port_closed",
    severity: Severity::Critical,
    page: include_str!("../../../docs/findings/TM202.md"),
    judge,
};

#[derive(Serialize)]
struct Evidence {
    reporter: IpAddr,
    direction: &'static str,
    inner: Option<Flow>,
}

fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    let refusals = refusals(snapshot).filter(|error| !is_about_fragments(snapshot, error));
    refusals.map(hit).collect()
}

/// Port unreachable (RFC 792, RFC 4443 §3.1).
pub(super) fn refusals(snapshot: &Snapshot) -> impl Iterator<Item = &IcmpErrors> {
    snapshot.genuine_errors().filter(|error| {
        let kind = (error.kind, error.code);
        if error.reporter.is_ipv4() { kind == (3, 3) } else { kind == (1, 4) }
    })
}

/// Longest packet that every path takes (RFC 791 asks for 576, every real one takes as much as IPv6 asks for).
const SHORT: u32 = 1280;

/// Whether long packets are refused that may be fragmented, by an end that takes part in the tunnel otherwise. Open
/// vSwitch's user-space datapath does not put fragments together: the kernel does, and has no socket for the result.
pub(super) fn is_about_fragments(snapshot: &Snapshot, error: &IcmpErrors) -> bool {
    let is_long = !error.quoted_df && error.quoted_length_bytes > SHORT;
    let comes = |is_received: bool| {
        snapshot
            .evidence
            .to(error.peer)
            .any(|tunnel| if is_received { tunnel.rx.packets } else { tunnel.tx.packets } != 0)
    };
    is_long && comes(error.is_received)
}

fn hit(error: &IcmpErrors) -> Hit {
    let IcmpErrors { reporter, peer, is_received, count, .. } = *error;
    let (direction, cause) = if is_received {
        ("tx", format!("{reporter} has nothing that listens on the tunnel's port"))
    } else {
        ("rx", format!("this node has nothing that listens on the tunnel's port, to which {peer} sends"))
    };
    Hit {
        vni: error.vni,
        peer: Some(peer),
        count,
        cause,
        fix: "see whether Open vSwitch runs there and has the tunnel's port: ovs-vsctl show; ss -lun sport = :6081"
            .to_owned(),
        test: format!("nc -uvz {} 6081", if is_received { peer } else { error.local }),
        evidence: value(&Evidence { reporter, direction, inner: error.flow }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::testing::{self, PEER, errors};

    fn refused() -> IcmpErrors {
        IcmpErrors { kind: 3, code: 3, reporter: PEER, ..testing::error() }
    }

    #[test]
    fn a_closed_port_is_told_for_either_side() {
        for (is_received, direction) in [(true, "tx"), (false, "rx")] {
            let [hit] = judge(&errors(IcmpErrors { is_received, ..refused() })).try_into().unwrap();
            assert_eq!((hit.peer, &hit.evidence["direction"]), (Some(PEER), &direction.into()));
        }
    }

    #[test]
    fn long_packets_without_df_are_another_matter_while_the_peer_answers() {
        let long = IcmpErrors { quoted_df: false, ..refused() };
        assert_eq!(judge(&errors(long.clone())), []);
        let mut silent = errors(long.clone());
        silent.evidence.tunnels.iter_mut().for_each(|tunnel| tunnel.rx.packets = 0);
        assert_eq!(judge(&silent).len(), 1);
        assert_eq!(judge(&errors(IcmpErrors { quoted_length_bytes: 134, ..long })).len(), 1);
    }
}
