//! TM102: a router says that tunnel packets are too long for its next hop.

use std::net::IpAddr;

use serde::Serialize;

use super::{Hit, Rule, Severity, value};
use crate::snapshot::{Flow, IcmpErrors, Snapshot};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "TM102",
    kind: "path_mtu_reported",
    severity: Severity::Critical,
    page: include_str!("../../../docs/findings/TM102.md"),
    judge,
};

/// IP header, UDP and Geneve: the kernel takes no notice of an error that quotes less (`geneve_udp_encap_err_lookup`).
const ENOUGH: [u32; 2] = [20 + 16, 40 + 16];

#[derive(Serialize)]
struct Evidence {
    reporter: IpAddr,
    next_hop_mtu_bytes: Option<u32>,
    lost_length_bytes: u32,
    quoted_bytes: u32,
    quote_is_enough: bool,
    recommended_inner_mtu_bytes: Option<u32>,
    inner: Option<Flow>,
}

fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    snapshot.genuine_errors().filter(|error| is_too_big(error)).map(|error| hit(snapshot, error)).collect()
}

/// Fragmentation needed (RFC 792, RFC 1191), packet too big (RFC 4443 §3.2).
fn is_too_big(error: &IcmpErrors) -> bool {
    let kind = (error.kind, error.code);
    error.is_received && if error.reporter.is_ipv4() { kind == (3, 4) } else { error.kind == 2 }
}

fn hit(snapshot: &Snapshot, error: &IcmpErrors) -> Hit {
    let IcmpErrors { reporter, peer, mtu_bytes, quoted_bytes, .. } = *error;
    let overhead = snapshot.evidence.overhead(peer);
    let recommended = mtu_bytes.zip(overhead).and_then(|(mtu, overhead)| mtu.checked_sub(overhead));
    let quote_is_enough = quoted_bytes >= ENOUGH[usize::from(reporter.is_ipv6())];
    let next_hop = mtu_bytes.map_or_else(|| "less".to_owned(), |mtu| format!("at most {mtu} bytes"));
    let ignored = if quote_is_enough { "" } else { "; it quotes so little that the kernel takes no notice of it" };
    let fix = match recommended {
        Some(mtu) => format!("set the MTU of the pods to {mtu} or less, or the MTU of the path to what {peer} needs"),
        None => format!("set the MTU of the pods so that their tunnel packets fit the path to {peer}"),
    };
    Hit {
        vni: error.vni,
        peer: Some(peer),
        count: error.count,
        cause: format!(
            "{reporter} drops tunnel packets to {peer} of {} bytes: its next hop takes {next_hop}{ignored}",
            error.quoted_length_bytes
        ),
        fix,
        test: format!("ping -M do -s {} {peer}", payload(error)),
        evidence: value(&Evidence {
            reporter,
            next_hop_mtu_bytes: mtu_bytes,
            lost_length_bytes: error.quoted_length_bytes,
            quoted_bytes,
            quote_is_enough,
            recommended_inner_mtu_bytes: recommended,
            inner: error.flow,
        }),
    }
}

/// What `ping -s` takes for a packet of the quoted length.
fn payload(error: &IcmpErrors) -> u32 {
    error.quoted_length_bytes.saturating_sub(if error.peer.is_ipv4() { 28 } else { 48 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::testing::{self, PEER, ROUTER, errors};

    #[test]
    fn a_router_that_names_its_mtu_is_told_with_what_would_fit() {
        let snapshot = errors(IcmpErrors { kind: 3, code: 4, mtu_bytes: Some(1400), ..testing::error() });
        let [hit] = judge(&snapshot).try_into().unwrap();
        assert_eq!((hit.vni, hit.peer, hit.count), (Some(100), Some(PEER), 4));
        assert_eq!(hit.evidence["next_hop_mtu_bytes"], 1400);
        assert_eq!(hit.evidence["recommended_inner_mtu_bytes"], 1350);
        assert_eq!(hit.evidence["reporter"], ROUTER.to_string());
        assert_eq!(
            (&hit.evidence["quote_is_enough"], &hit.evidence["lost_length_bytes"]),
            (&true.into(), &1478.into())
        );
    }

    #[test]
    fn a_quote_of_eight_bytes_is_told_to_be_ignored() {
        let short = IcmpErrors { kind: 3, code: 4, vni: None, quoted_bytes: 28, ..testing::error() };
        let [hit] = judge(&errors(short)).try_into().unwrap();
        assert!(hit.cause.contains("takes no notice"), "{}", hit.cause);
        assert_eq!(hit.evidence["quote_is_enough"], false);
    }

    #[test]
    fn what_we_never_sent_is_no_evidence() {
        let strange = IcmpErrors { kind: 3, code: 4, local: "192.0.2.77".parse().unwrap(), ..testing::error() };
        assert_eq!(judge(&errors(strange)), []);
        assert_eq!(judge(&errors(IcmpErrors { kind: 3, code: 3, ..testing::error() })), []);
    }
}
