//! Two nodes with a router between them, and a probe from one to the other.
//!
//! ```text
//!  near ── n0│r0 ── router ── ra│fa ── far   192.0.2.9, 2001:db8::9 on lo
//!  192.0.2.1       .254   └── rb│fb ──┘
//!  2001:db8:1::1   ::fe
//! ```
//! The router reaches the far node by the first link only, unless it is told to spread flows over both.

use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::netns::{End, Namespace, veth};
use tests::{needs, tunmon};

/// The far node's addresses.
pub(super) const PEERS: [&str; 2] = ["192.0.2.9", "2001:db8::9"];
/// The router's, as the near node sees it.
pub(super) const ROUTERS: [&str; 2] = ["198.51.100.254", "2001:db8:1::fe"];

/// The nodes.
pub(super) struct Underlay {
    pub(super) near: Namespace,
    pub(super) router: Namespace,
    pub(super) far: Namespace,
}

/// What a probe has said.
pub(super) struct Probed {
    pub(super) code: i32,
    pub(super) record: Value,
    pub(super) took: Duration,
}

impl Underlay {
    /// Makes it, or says why not.
    pub(super) fn create(programs: &[&str]) -> Option<Self> {
        if let Some(reason) = tunmon::missing(&[needs::NETWORK, programs]) {
            needs::skip(&reason);
            return None;
        }
        let [near, router, far] = ["near", "router", "far"].map(|label| Namespace::create(label).unwrap());
        for (number, (node, [device, other])) in
            [(&near, ["n0", "r0"]), (&far, ["fa", "ra"]), (&far, ["fb", "rb"])].into_iter().enumerate()
        {
            let ends = |end: &str| {
                let net = 100 + number;
                vec![format!("198.51.{net}.{end}/24"), format!("2001:db8:{}::{}/64", 1 + number, suffix(end))]
            };
            let [mine, its] = [ends("1"), ends("254")];
            let end = |namespace, device, addresses| End { namespace, device, mac: None, addresses };
            veth(end(node, device, &mine), end(&router, other, &its), 1500).unwrap();
        }
        far.ip(&["addr add 192.0.2.9/32 dev lo", "addr add 2001:db8::9/128 dev lo"]).unwrap();
        near.ip(&["route add default via 198.51.100.254", "route add default via 2001:db8:1::fe"]).unwrap();
        far.ip(&["route add default via 198.51.101.254", "route add default via 2001:db8:2::fe"]).unwrap();
        let lines = ["route add 192.0.2.9 via 198.51.101.1", "route add 2001:db8::9 via 2001:db8:2::1"];
        router.ip(&lines).unwrap();
        router.sysctl(&[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")]).unwrap();
        far.sysctl(&[("ipv4/conf/all/rp_filter", "0"), ("ipv4/conf/default/rp_filter", "0")]).unwrap();
        Some(Self { near, router, far })
    }

    /// Spreads flows over both links by their ports.
    pub(super) fn spread(&self) {
        let policy = [("ipv4/fib_multipath_hash_policy", "1"), ("ipv6/fib_multipath_hash_policy", "1")];
        self.router.sysctl(&policy).unwrap();
        let lines = [
            "route replace 192.0.2.9 nexthop via 198.51.101.1 nexthop via 198.51.102.1",
            "route del 2001:db8::9",
            "route add 2001:db8::9 nexthop via 2001:db8:2::1 nexthop via 2001:db8:3::1",
        ];
        self.router.ip(&lines).unwrap();
    }

    /// What the router's device takes: what is longer is refused by ICMP.
    pub(super) fn narrow(&self, device: &str, mtu: u16) {
        self.router.ip(&[format!("link set {device} mtu {mtu}")]).unwrap();
    }

    /// The router refuses in silence.
    pub(super) fn mute(&self) {
        filter(&self.router, "output", "icmp type destination-unreachable drop");
        filter(&self.router, "output", "icmpv6 type packet-too-big drop");
    }

    /// Probes from the near node with these arguments.
    pub(super) fn probe(&self, arguments: &str) -> Probed {
        let begun = Instant::now();
        let output = tunmon::run(&self.near, &format!("probe -o json {arguments}")).unwrap();
        Probed { took: begun.elapsed(), ..Probed::of(&output) }
    }
}

impl Probed {
    /// Reads the record, which is the only line.
    pub(super) fn of(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout);
        let record = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        Self { code: output.status.code().unwrap(), record, took: Duration::ZERO }
    }

    /// A number of the record.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.record[name].as_u64()
    }

    /// Of each flow: what passes, what does not.
    pub(super) fn flows(&self) -> Vec<(Option<u64>, Option<u64>)> {
        let flows = self.record["flows"].as_array().unwrap();
        flows.iter().map(|flow| (flow["passes_bytes"].as_u64(), flow["fails_bytes"].as_u64())).collect()
    }
}

/// A rule of nftables in a base chain of this hook.
pub(super) fn filter(namespace: &Namespace, hook: &str, rule: &str) {
    namespace.run("nft add table inet probe").unwrap();
    let chain = format!("nft add chain inet probe {hook} {{ type filter hook {hook} priority 0 ; }}");
    namespace.run(&chain).unwrap();
    namespace.run(&format!("nft add rule inet probe {hook} {rule}")).unwrap();
}

fn suffix(end: &str) -> &str {
    if end == "254" { "fe" } else { end }
}
