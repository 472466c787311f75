//! Errors inside tunnels that say that a packet is too big, flow by flow: whether its sender obeys is seen by whether
//! they go on.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use monitor_common::event::IcmpError;
use monitor_common::tunnel::Tunnel;

use crate::snapshot::TooBig;

/// Flows that are followed at most.
const MOST: usize = 1024;
/// Without another one for so long they are forgotten: the sender obeys, or has stopped.
const FORGOTTEN_NS: u64 = 60_000_000_000;

/// Who is told, whom it has sent to, and the tunnel of the error.
type Key = ([IpAddr; 2], u32, IpAddr);

struct Known {
    row: TooBig,
    first_ns: u64,
    last_ns: u64,
}

/// The errors of a device.
#[derive(Default)]
pub(super) struct InnerErrors {
    flows: HashMap<Key, Known>,
    /// All errors since the start.
    by_peer: BTreeMap<IpAddr, u64>,
}

impl InnerErrors {
    /// Takes one.
    pub(super) fn record(&mut self, error: &IcmpError, tunnel: &Tunnel) {
        let ends = [error.source.ip(), error.destination.ip()];
        let key = (ends, tunnel.vni(), tunnel.peer().ip());
        if self.by_peer.len() < MOST || self.by_peer.contains_key(&key.2) {
            *self.by_peer.entry(key.2).or_default() += 1;
        }
        if self.flows.len() >= MOST && !self.flows.contains_key(&key) {
            return;
        }
        let at = error.head.at_ns;
        let known = self.flows.entry(key).or_insert_with(|| {
            let row = TooBig {
                vni: key.1,
                peer: key.2,
                reporter: error.reporter.ip(),
                sender: ends[0],
                receiver: ends[1],
                mtu_bytes: error.mtu,
                longest_bytes: 0,
                seconds: 0.0,
                count: 0,
            };
            Known { row, first_ns: at, last_ns: at }
        });
        known.last_ns = at;
        let row = &mut known.row;
        row.mtu_bytes = row.mtu_bytes.min(error.mtu);
        row.longest_bytes = row.longest_bytes.max(error.quoted_length);
        row.seconds = at.saturating_sub(known.first_ns) as f64 / 1e9;
        row.count += 1;
    }

    /// All errors since the start, by peer.
    pub(super) fn by_peer(&self) -> BTreeMap<IpAddr, u64> {
        self.by_peer.clone()
    }

    /// Those that came after `since_ns`.
    pub(super) fn since(&self, since_ns: u64) -> Vec<TooBig> {
        let late = self.flows.values().filter(|known| known.last_ns > since_ns);
        let mut rows: Vec<_> = late.map(|known| known.row.clone()).collect();
        rows.sort_by_key(|row| (row.peer, row.vni, row.sender, row.receiver));
        rows
    }

    /// Forgets those that did not come again for long.
    pub(super) fn forget(&mut self, now_ns: u64) {
        self.flows.retain(|_, known| now_ns < known.last_ns + FORGOTTEN_NS);
    }
}
