//! TM107: a pod is told that its packets are too big, and goes on sending them.

use std::net::IpAddr;

use serde::Serialize;

use super::{Hit, Rule, Severity, value};
use crate::snapshot::{Snapshot, TooBig};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "TM107",
    kind: "inner_ptb_ignored",
    severity: Severity::Warning,
    page: include_str!("../../../docs/findings/TM107.md"),
    judge,
};

/// A sender that obeys has a window of packets on the way when it is told: they all are answered within a round trip.
const AGAIN_SECONDS: f64 = 2.0;
const AGAIN: u64 = 3;

#[derive(Serialize)]
struct Evidence {
    reporter: IpAddr,
    sender: IpAddr,
    receiver: IpAddr,
    mtu_bytes: u32,
    inner_length_max_bytes: u32,
    errors: u64,
    seconds: f64,
}

fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    let is_ignored = |error: &&TooBig| error.count >= AGAIN && error.seconds >= AGAIN_SECONDS;
    snapshot.evidence.too_big.iter().filter(is_ignored).map(hit).collect()
}

fn hit(error: &TooBig) -> Hit {
    let TooBig { vni, peer, reporter, sender, receiver, mtu_bytes, longest_bytes, seconds, count } = *error;
    Hit {
        vni: Some(vni),
        peer: Some(peer),
        count: 1,
        cause: format!(
            "{reporter} tells {sender} again and again that {receiver} takes {mtu_bytes} bytes, and still packets of \
             {longest_bytes} bytes come"
        ),
        fix: format!(
            "let ICMP \"fragmentation needed\" reach {sender} (policy, firewall, connection tracking), or set its MTU to \
             {mtu_bytes}"
        ),
        test: format!("in the pod of {sender}: ip route get {receiver}"),
        evidence: value(&Evidence {
            reporter,
            sender,
            receiver,
            mtu_bytes,
            inner_length_max_bytes: longest_bytes,
            errors: count,
            seconds,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::testing::{self, PEER};

    fn told(count: u64, seconds: f64) -> Snapshot {
        let mut snapshot = testing::healthy();
        let [reporter, sender, receiver] = ["10.0.0.254", "10.0.0.1", "10.0.1.1"].map(|ip| ip.parse().unwrap());
        let error = TooBig {
            vni: 100,
            peer: PEER,
            reporter,
            sender,
            receiver,
            mtu_bytes: 1400,
            longest_bytes: 1500,
            seconds,
            count,
        };
        snapshot.evidence.too_big.push(error);
        snapshot
    }

    #[test]
    fn a_window_of_packets_that_were_on_the_way_is_no_finding() {
        assert_eq!(judge(&told(1, 0.0)), []);
        assert_eq!(judge(&told(40, 0.2)), []);
        assert_eq!(judge(&told(2, 30.0)), [], "two connections, one after the other");
    }

    #[test]
    fn a_sender_that_goes_on_is_named() {
        let [hit] = judge(&told(5, 6.0)).try_into().unwrap();
        assert_eq!((&hit.evidence["sender"], &hit.evidence["mtu_bytes"]), (&"10.0.0.1".into(), &1400.into()));
        assert!(hit.cause.contains("10.0.0.254 tells 10.0.0.1"), "{}", hit.cause);
    }
}
