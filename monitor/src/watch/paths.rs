//! What the kernel's routing says of the ways to the peers, asked from time to time: it learns from ICMP, and forgets.
//!
//! No message tells of what was learned, so each peer is asked about by itself, a batch a report.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::session::Session;
use crate::aggregate::Aggregate;
use crate::device::Device;
use crate::netlink::{Hop, Link, Route};
use crate::output::{Printer, Subject};
use crate::snapshot::{PathRoute, Peer, Snapshot};

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
    /// Answers that were got are good no more: another device, another MTU, or the end.
    pub(super) fn forget(&mut self) {
        self.asked.clear();
    }

    /// A router has said something about the way to this peer: what is known of it may have changed.
    pub(super) fn doubt(&mut self, peer: IpAddr) {
        self.asked.remove(&peer);
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

impl Session {
    /// Tells of the peer that was asked about, if no device has seen it: by the device that packets to it leave by, or by
    /// the first.
    pub(super) fn tell_unseen(&mut self, snapshots: &[Snapshot], printer: &mut Printer) -> Result<()> {
        let Subject::Mtu(Some(peer)) = printer.subject() else { return Ok(()) };
        if snapshots.iter().any(|snapshot| snapshot.peer(peer).is_some()) {
            return Ok(());
        }
        for device in &mut self.devices {
            let route = look_up(&mut self.life.route, &device.device, (peer, None), &mut None);
            device.aggregate.learn(peer, route);
        }
        let mut rows =
            self.devices.iter().zip(snapshots).map(|(device, snapshot)| (device.aggregate.unseen(peer), snapshot));
        let leaves = |(row, _): &(Peer, _)| row.path.route.as_ref().is_some_and(|route| route.device.is_none());
        let first = rows.next();
        let leaving = first.clone().into_iter().chain(rows).find(leaves);
        leaving.or(first).map_or(Ok(()), |(row, snapshot)| printer.unseen(snapshot, &row))
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
