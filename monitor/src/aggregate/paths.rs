//! The ways to the peers: what the kernel's routing says, and what routers announce.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use monitor_common::event::{self, IcmpError};
use monitor_common::frame::Direction;

use crate::counts::Counts;
use crate::snapshot::{Path, PathRoute};

/// Announcements that are kept at most.
const MOST: usize = 256;
/// How long an announcement holds; a sender may try longer packets after ten minutes (RFC 1191 §6.3), and Linux does.
const LASTS_SECONDS: f64 = 600.0;
/// Less than this is no MTU of a path: Linux takes nothing smaller over IPv4 (`min_pmtu`), and IPv6 has no such links.
const LEAST: [u32; 2] = [552, 1280];

/// All that is known about the ways to the peers.
#[derive(Default)]
pub(super) struct Paths {
    /// The routes that were asked for; nothing where there is none.
    routes: BTreeMap<IpAddr, Option<PathRoute>>,
    announced: Announced,
    /// Path MTU of each peer, and the one before.
    mtus: BTreeMap<IpAddr, (u32, Option<u32>)>,
}

impl Paths {
    /// What routing says of a peer; nothing when there is no way.
    pub(super) fn learn(&mut self, peer: IpAddr, route: Option<PathRoute>) {
        self.routes.insert(peer, route);
    }

    /// Takes an ICMP error.
    pub(super) fn record(&mut self, error: &IcmpError) {
        self.announced.record(error);
    }

    /// Lets `seconds` pass, and forgets what is too old, or about no tunnel.
    pub(super) fn pass(&mut self, counts: &Counts, seconds: f64) {
        self.announced.pass(seconds);
        self.announced.believe(counts);
    }

    /// Remembers how wide the ways to these peers are now, by a device of this MTU. While watching, a way is first known
    /// when its route was asked for.
    pub(super) fn note(&mut self, peers: impl Iterator<Item = IpAddr>, device: Option<u32>) {
        for peer in peers {
            if device.is_some() && !self.routes.contains_key(&peer) {
                continue;
            }
            let Some(now) = self.path(peer, device).path_mtu_bytes else { continue };
            let (mtu, before) = self.mtus.entry(peer).or_insert((now, None));
            if *mtu != now {
                *before = Some(std::mem::replace(mtu, now));
            }
        }
    }

    /// The way to a peer by a device of this MTU.
    pub(super) fn path(&self, peer: IpAddr, device: Option<u32>) -> Path {
        let before = self.mtus.get(&peer).and_then(|(_, before)| *before);
        Path::new(device, self.routes.get(&peer).cloned().flatten(), self.announced.least(peer), before)
    }
}

/// What routers have announced about packets of ours, by the peer and this end.
#[derive(Default)]
struct Announced(BTreeMap<(IpAddr, IpAddr), Announcement>);

struct Announcement {
    mtu: u32,
    age_seconds: f64,
}

impl Announced {
    fn record(&mut self, error: &IcmpError) {
        let key = (error.destination.ip(), error.source.ip());
        if !is_news(error) || (self.0.len() >= MOST && !self.0.contains_key(&key)) {
            return;
        }
        let known = self.0.entry(key).or_insert(Announcement { mtu: error.mtu, age_seconds: 0.0 });
        if error.mtu <= known.mtu {
            *known = Announcement { mtu: error.mtu, age_seconds: 0.0 };
        }
    }

    fn pass(&mut self, seconds: f64) {
        self.0.retain(|_, announcement| {
            announcement.age_seconds += seconds;
            announcement.age_seconds < LASTS_SECONDS
        });
    }

    /// Keeps what is about a tunnel that is known: anybody can send an error about anything.
    fn believe(&mut self, counts: &Counts) {
        if self.0.is_empty() {
            return;
        }
        let ends = counts.tunnels.iter().map(|tracked| (tracked.tunnel.peer().ip(), tracked.tunnel.local().ip()));
        let known: BTreeSet<_> = ends.collect();
        self.0.retain(|key, _| known.contains(key));
    }

    fn least(&self, peer: IpAddr) -> Option<u32> {
        let from = self.0.range((peer, IpAddr::V4(Ipv4Addr::UNSPECIFIED))..);
        from.take_while(|((of, _), _)| *of == peer).map(|(_, announcement)| announcement.mtu).min()
    }
}

/// Whether it was received and names an MTU that is none too small, and smaller than a packet which had to go in one piece.
fn is_news(error: &IcmpError) -> bool {
    let is_ipv4 = error.destination.ip().is_ipv4();
    let is_too_big = if is_ipv4 { (error.kind, error.code) == (3, 4) && error.quoted_df != 0 } else { error.kind == 2 };
    let is_received = event::direction(error.direction) == Direction::Rx;
    is_too_big && is_received && (LEAST[usize::from(!is_ipv4)]..error.quoted_length).contains(&error.mtu)
}

#[cfg(test)]
mod tests {
    use monitor_common::count::Counters;
    use monitor_common::event::Any;
    use monitor_common::packet::Address;
    use monitor_common::tunnel::Tunnel;

    use super::*;
    use crate::aggregate::{Aggregate, Limits};
    use crate::counts::{ByKind, Tracked};
    use crate::snapshot::Snapshot;

    fn address(last: u8) -> Address {
        Address::v4(u32::from_ne_bytes([192, 0, 2, last]))
    }

    /// A device of 1500 bytes with a tunnel from .1 to .2, whose longest inner packet has 1400 bytes.
    fn watched() -> (Aggregate, Counts) {
        let limits = Limits { max_vnis: 8, max_peers: 8, idle_ns: u64::MAX };
        let tunnel = Tunnel::v6(1, 100, [address(1), address(2)], Direction::Tx);
        let mut counters = Counters::default();
        let traffic = &mut counters.traffic[1];
        (traffic.packets, traffic.inner_longest) = (9, 1400);
        (traffic.overhead_least, traffic.overhead_most) = (50, 58);
        let counts = Counts { tunnels: vec![Tracked { slot: 0, tunnel, counters }], ..Counts::default() };
        (Aggregate::new("eth0", 1500, limits), counts)
    }

    fn announced(mtu: u32) -> IcmpError {
        IcmpError {
            source: address(1),
            destination: address(2),
            kind: 3,
            code: 4,
            mtu,
            quoted_length: 1500,
            quoted_df: 1,
            ..IcmpError::default()
        }
    }

    fn interval(aggregate: &mut Aggregate, counts: &Counts, seconds: f64) -> Path {
        aggregate.update(counts);
        let snapshot: Snapshot = aggregate.interval(counts, &ByKind::default(), seconds);
        let peer = address(2).ip();
        assert_eq!(snapshot.path_mtu(peer), snapshot.peers[0].path.path_mtu_bytes);
        snapshot.peers[0].path.clone()
    }

    #[test]
    fn an_announced_mtu_narrows_the_path_for_ten_minutes() {
        let (mut aggregate, counts) = watched();
        aggregate.learn(address(2).ip(), None);
        let path = interval(&mut aggregate, &counts, 1.0);
        assert_eq!((path.path_mtu_bytes, path.path_mtu_source), (Some(1500), Some("device")));
        assert_eq!((path.recommended_inner_mtu_bytes, path.unused_inner_bytes), (Some(1442), Some(42)));
        aggregate.record(&Any::IcmpError(announced(1400)), None);
        aggregate.record(&Any::IcmpError(announced(1450)), None);
        let path = interval(&mut aggregate, &counts, 1.0);
        assert_eq!((path.path_mtu_bytes, path.path_mtu_source), (Some(1400), Some("icmp")));
        assert_eq!((path.path_mtu_before_bytes, path.icmp_mtu_bytes), (Some(1500), Some(1400)));
        assert_eq!((path.recommended_inner_mtu_bytes, path.unused_inner_bytes), (Some(1342), None));
        let path = interval(&mut aggregate, &counts, 598.0);
        assert_eq!(path.path_mtu_bytes, Some(1400));
        let path = interval(&mut aggregate, &counts, 2.0);
        assert_eq!((path.path_mtu_bytes, path.path_mtu_before_bytes), (Some(1500), Some(1400)));
    }

    #[test]
    fn what_cannot_be_true_narrows_nothing() {
        let (mut aggregate, counts) = watched();
        let lies = [
            announced(0),
            announced(1),
            announced(551),
            // As long as what was dropped, or longer.
            announced(1500),
            announced(9000),
            IcmpError { code: 3, ..announced(1400) },
            // A router may cut it.
            IcmpError { quoted_df: 0, ..announced(1400) },
            // This node says so to somebody else.
            IcmpError { direction: 1, ..announced(1400) },
            // About tunnels that are not there.
            IcmpError { source: address(7), ..announced(1400) },
            IcmpError { destination: address(7), ..announced(1400) },
        ];
        lies.iter().for_each(|lie| aggregate.record(&Any::IcmpError(*lie), None));
        let path = interval(&mut aggregate, &counts, 1.0);
        assert_eq!((path.path_mtu_bytes, path.icmp_mtu_bytes), (Some(1500), None));
    }

    #[test]
    fn a_flood_of_announcements_is_bounded() {
        let mut announced_by_all = Announced::default();
        for source in 0..=255 {
            for destination in 0..3 {
                let [source, destination] = [address(source), address(destination)];
                announced_by_all.record(&IcmpError { source, destination, ..announced(1400) });
            }
        }
        assert_eq!(announced_by_all.0.len(), MOST);
        announced_by_all.believe(&watched().1);
        assert_eq!((announced_by_all.0.len(), announced_by_all.least(address(2).ip())), (1, Some(1400)));
    }

    #[test]
    fn a_route_that_is_asked_for_late_is_no_change() {
        let (mut aggregate, counts) = watched();
        assert_eq!(interval(&mut aggregate, &counts, 1.0).path_mtu_bytes, Some(1500));
        let route = |mtu_bytes| Some(PathRoute { mtu_bytes, ..PathRoute::default() });
        aggregate.learn(address(2).ip(), route(Some(1400)));
        let path = interval(&mut aggregate, &counts, 1.0);
        assert_eq!((path.path_mtu_bytes, path.path_mtu_before_bytes), (Some(1400), None));
        aggregate.learn(address(2).ip(), route(None));
        assert_eq!(interval(&mut aggregate, &counts, 1.0).path_mtu_before_bytes, Some(1400));
    }

    #[test]
    fn routing_is_known_of_a_peer_that_was_never_seen() {
        let (mut aggregate, _) = watched();
        let peer = address(9).ip();
        assert_eq!(aggregate.unseen(peer).path.path_mtu_bytes, Some(1500));
        let route = PathRoute { mtu_bytes: Some(1400), is_cached: true, ..PathRoute::default() };
        aggregate.learn(peer, Some(route));
        let path = aggregate.unseen(peer).path;
        assert_eq!((path.path_mtu_bytes, path.path_mtu_source), (Some(1400), Some("cache")));
        assert_eq!(path.recommended_inner_mtu_bytes, None);
        aggregate.learn(peer, None);
        assert_eq!(aggregate.unseen(peer).path.path_mtu_source, Some("device"));
    }
}
