//! What the kernel's routing says of the ways to the peers, asked from time to time: it learns from ICMP, and forgets.
//!
//! No message tells of what was learned, so each peer is asked about by itself, a batch a report.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::aggregate::Aggregate;
use crate::device::Device;
use crate::netlink::{Hop, Link, Route};
use crate::snapshot::PathRoute;

/// How long an answer is good.
const GOOD: Duration = Duration::from_secs(10);
/// Peers that are asked about at a time.
pub(super) const BATCH: usize = 256;

/// When each peer was asked about.
#[derive(Default)]
pub(super) struct Paths {
    asked: HashMap<IpAddr, Instant>,
}

impl Paths {
    /// Answers that were got are good no more: another device, or another MTU.
    pub(super) fn forget(&mut self) {
        self.asked.clear();
    }

    /// Asks about at most `most` peers: new ones first, then those whose answer is oldest.
    pub(super) fn ask(
        &mut self,
        route: &mut Route,
        device: &Device,
        aggregate: &mut Aggregate,
        now: Instant,
        most: usize,
    ) {
        let is_due = |peer: &IpAddr| self.asked.get(peer).is_none_or(|asked| now - *asked >= GOOD);
        let mut due: Vec<_> = aggregate.ends().filter(|(peer, _)| is_due(peer)).collect();
        if due.len() > most {
            due.sort_by_key(|(peer, _)| self.asked.get(peer).copied());
            due.truncate(most);
        }
        let mut links = None;
        for (peer, local) in due {
            aggregate.learn(peer, look_up(route, device, (peer, Some(local)), &mut links));
            self.asked.insert(peer, now);
        }
    }
}

/// The way to a peer from this end; `links` are read once, when packets leave by another device than the watched one.
pub(super) fn look_up(
    route: &mut Route,
    device: &Device,
    (peer, local): (IpAddr, Option<IpAddr>),
    links: &mut Option<Vec<Link>>,
) -> Option<PathRoute> {
    let hop = match route.hop(peer, local) {
        Ok(hop) => hop,
        Err(error) => {
            tracing::debug!("the way to {peer}: {error}");
            return None;
        }
    };
    let other = (hop.device != device.index).then(|| {
        let links = links.get_or_insert_with(|| route.links().unwrap_or_default());
        links.iter().find(|link| link.index == hop.device)
    });
    let other = other.flatten();
    let Hop { mtu, is_locked, expires, .. } = hop;
    Some(PathRoute {
        device: other.map(|link| link.name.clone()),
        device_mtu_bytes: other.map(|link| link.mtu),
        mtu_bytes: mtu,
        is_cached: expires.is_some(),
        expires_seconds: expires.map(|left| left.as_secs_f64()),
        is_locked,
    })
}
