use super::*;

use std::sync::Arc;

use crate::inventory::{Facts, Kind, Name, Network, NetworkKind, Node, State};

const GOOD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const NEVER: [u64; 0] = [];
const BAD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 66));

/// A source that knows one node and one network.
fn inventory(nodes: &[IpAddr], state: State) -> Inventory {
    let nodes = nodes.iter().map(|address| (*address, Node { name: Name::some("n"), chassis: None })).collect();
    let network = Network { name: Name::new("ls0"), kind: NetworkKind::Switch };
    let networks = [(1000, network)].into();
    let mut inventory = Inventory::default();
    inventory
        .tell(Kind::OvnSb, Facts { nodes, networks, has_all_nodes: true, has_all_networks: true, ..Facts::default() });
    let synced = Some(Timestamp::UNIX_EPOCH);
    inventory.is(Source { kind: Kind::OvnSb, state, from: Name::new("tcp:db"), trouble: None, entries: 2, synced });
    inventory
}

/// A second of a run: who sends then, and what is known. Returns who is told.
struct Run(Tracker, u64);

impl Run {
    fn new() -> Self {
        Self(Tracker::default(), 0)
    }

    fn second(&mut self, peers: &[(IpAddr, u64)], names: &Inventory) -> Strangers<IpAddr> {
        let mut snapshot = crate::findings::testing::healthy();
        snapshot.peers = peers
            .iter()
            .map(|(peer, packets)| {
                let mut row = crate::findings::testing::peer(crate::snapshot::Path::default());
                (row.peer, row.traffic.rx_packets, row.traffic.tx_packets) = (*peer, *packets, 7);
                row
            })
            .collect();
        snapshot.names = Arc::new(names.clone());
        let (now, at) = (Duration::from_secs(self.1), Timestamp::from_second(self.1 as i64).unwrap());
        self.0.judge(&mut snapshot, GRACE, now, at);
        self.1 += 1;
        snapshot.evidence.unknown_peers
    }

    /// The seconds among the next `count` ones in which somebody is told.
    fn seconds(&mut self, count: u64, peers: &[(IpAddr, u64)], names: &Inventory) -> Vec<u64> {
        let seconds = self.1..self.1 + count;
        seconds.filter(|_| !self.second(peers, names).single.is_empty()).collect()
    }
}

#[test]
fn a_stranger_is_told_when_it_still_sends_after_a_while() {
    let names = inventory(&[GOOD], State::Up);
    let mut run = Run::new();
    assert_eq!(run.seconds(10, &[(GOOD, 5)], &names), NEVER);
    assert_eq!(run.seconds(32, &[(GOOD, 5), (BAD, 2)], &names), [40, 41]);
    let strangers = run.second(&[(BAD, 3)], &names);
    assert_eq!(strangers.single, [Stranger { id: BAD, seconds: 32.0, rx_packets: 3 }]);
    assert_eq!(strangers.judge.unwrap().age_seconds, Some(42));
    assert_eq!(run.seconds(10, &[(BAD, 0)], &names), NEVER, "only what is received counts");
}

#[test]
fn a_node_that_becomes_known_in_time_is_no_stranger() {
    let mut run = Run::new();
    assert_eq!(run.seconds(29, &[(BAD, 2)], &inventory(&[GOOD], State::Up)), NEVER);
    assert_eq!(run.seconds(100, &[(BAD, 2)], &inventory(&[GOOD, BAD], State::Up)), NEVER);
    assert_eq!(
        run.seconds(31, &[(BAD, 2)], &inventory(&[GOOD], State::Up)),
        [159],
        "and one again when it is taken away"
    );
}

#[test]
fn a_source_that_is_down_judges_nobody_and_has_a_while_when_it_is_back() {
    let mut run = Run::new();
    assert_eq!(run.seconds(100, &[(BAD, 2)], &inventory(&[GOOD], State::Down)), NEVER);
    assert_eq!(run.seconds(31, &[(BAD, 2)], &inventory(&[GOOD], State::Up)), [130]);
    assert_eq!(run.seconds(1, &[(BAD, 2)], &inventory(&[GOOD], State::Starting)), NEVER);
    assert_eq!(run.seconds(31, &[(BAD, 2)], &inventory(&[GOOD], State::Up)), [162]);
    assert_eq!(run.seconds(40, &[(BAD, 2)], &Inventory::default()), NEVER);
}

#[test]
fn who_was_silent_for_long_has_a_while_anew() {
    let names = inventory(&[GOOD], State::Up);
    let mut run = Run::new();
    assert_eq!(run.seconds(31, &[(BAD, 1)], &names), [30]);
    assert_eq!(run.seconds(500, &[], &names), NEVER);
    assert_eq!(run.seconds(1, &[(BAD, 1)], &names), [531]);
    assert_eq!(run.seconds(601, &[], &names), NEVER);
    assert_eq!(run.seconds(31, &[(BAD, 1)], &names), [1163]);
}

#[test]
fn a_flood_of_addresses_has_a_few_places_and_the_rest_is_one_number() {
    let names = inventory(&[GOOD], State::Up);
    let mut run = Run::new();
    let flood = |from: u32| -> Vec<_> { (from..from + 8000).map(|number| (number.to_be_bytes().into(), 1)).collect() };
    run.seconds(31, &flood(1 << 24), &names);
    let strangers = run.second(&flood(1 << 24), &names);
    assert_eq!((strangers.single.len(), strangers.others.len()), (PLACES, MOST - PLACES));
    // Others come, for hours: no place is given to them, and no more are remembered.
    for hour in 2..4 {
        run.1 += 3600;
        run.seconds(31, &flood(hour << 24), &names);
        let strangers = run.second(&flood(hour << 24), &names);
        assert_eq!((strangers.single.len(), strangers.others.len()), (0, MOST));
        assert_eq!((run.0.peers.seen.len(), run.0.peers.places.len()), (MOST, PLACES));
    }
}

#[test]
fn networks_are_judged_alike_and_vni_0_is_none() {
    let names = Arc::new(inventory(&[GOOD], State::Up));
    let mut tracker = Tracker::default();
    let mut told = Vec::new();
    for second in [0, 29, 30] {
        let mut snapshot = crate::findings::testing::healthy();
        snapshot.vnis = [0, 5, 1000].map(crate::findings::testing::received).into();
        snapshot.names = names.clone();
        tracker.judge(&mut snapshot, GRACE, Duration::from_secs(second), Timestamp::UNIX_EPOCH);
        told.push(snapshot.evidence.unknown_networks.single.iter().map(|stranger| stranger.id).collect::<Vec<_>>());
    }
    assert_eq!(told, [vec![], vec![], vec![5]]);
}
