use super::*;
use crate::findings::testing::{self, PEER};
use crate::snapshot::Path;

/// Data of 1550 bytes, sent again three times while packets of up to 592 bytes went through.
fn stalled() -> Hole {
    Hole { times: 3, confirmed_times: 2, delivered_since_bytes: Some(592), ..testing::hole() }
}

fn of(holes: &[Hole]) -> Vec<Hit> {
    let mut snapshot = testing::healthy();
    snapshot.evidence.holes.extend_from_slice(holes);
    judge(&snapshot)
}

#[test]
fn data_that_never_arrives_while_shorter_does_is_told_with_its_sizes() {
    let [hit] = of(&[stalled()]).try_into().unwrap();
    assert_eq!((hit.vni, hit.peer), (Some(100), Some(PEER)));
    let told = |name: &str| hit.evidence[name].as_u64();
    assert_eq!(told("lost_length_bytes"), Some(1550));
    assert_eq!(told("delivered_length_bytes"), Some(592));
    assert_eq!(told("recommended_inner_mtu_bytes"), Some(1230), "what every path takes, less the overhead");
    assert_eq!(hit.evidence["direction"], "tx");
}

#[test]
fn the_recommendation_is_what_is_known_to_pass() {
    let [hit] = of(&[Hole { delivered_since_bytes: Some(1488), ..stalled() }]).try_into().unwrap();
    assert_eq!(hit.evidence["recommended_inner_mtu_bytes"], 1438);
    let mut snapshot = testing::healthy();
    snapshot.evidence.holes.push(Hole { delivered_since_bytes: Some(1488), ..stalled() });
    snapshot.peers.push(testing::peer(Path::new(Some(1400), None, None, None)));
    let [hit] = judge(&snapshot).try_into().unwrap();
    assert_eq!(hit.evidence["recommended_inner_mtu_bytes"], 1350, "never more than the path that is known");
    let small = Hole { length_bytes: Some(900), ..stalled() };
    let [hit] = of(&[small]).try_into().unwrap();
    assert_eq!(hit.evidence["recommended_inner_mtu_bytes"], 542);
}

#[test]
fn one_flow_needs_three_retransmissions_and_two_flows_two_each() {
    let twice = Hole { times: 2, ..stalled() };
    assert_eq!(of(std::slice::from_ref(&twice)), []);
    let other = Hole { source: ([10, 0, 0, 9].into(), 7), ..twice };
    let [hit] = of(&[twice.clone(), other]).try_into().unwrap();
    assert_eq!(hit.evidence["flows"], 2);
    assert_eq!(of(&[twice, Hole { is_transmitted: false, ..stalled() }]), [], "not of one direction");
}

#[test]
fn healthy_and_plainly_bad_networks_have_none_of_it() {
    let cases = [
        ("plain loss: as long ones arrive", Hole { delivered_since_bytes: Some(1536 + 14), ..stalled() }),
        ("a dead node: nothing arrives", Hole { delivered_since_bytes: None, ..stalled() }),
        (
            "an outage after long packets had passed",
            Hole { delivered_since_bytes: None, delivered_lately_bytes: Some(1550), ..stalled() },
        ),
        ("an outage that is over: it was not sent again since", Hole { confirmed_times: 0, ..stalled() }),
        ("a dead pod on a node that lives", Hole { is_receiver_there: false, ..stalled() }),
        ("it was acknowledged", Hole { is_closed: true, ..stalled() }),
        ("too short to be lost for its size", Hole { length_bytes: Some(576), ..stalled() }),
        ("SACK, and never sent again", Hole { times: 0, missing_bytes: 1448, ..stalled() }),
        ("received: a hole that has come a moment ago", Hole { age_seconds: 1.0, ..unseen() }),
        ("received: an outage, the sender waits", Hole { steady_seconds: 4.0, age_seconds: 9.0, ..unseen() }),
        ("received: it was sent again, and came", Hole { times: 1, ..unseen() }),
    ];
    for (name, hole) in cases {
        assert_eq!(of(&[hole]), [], "{name}");
    }
}

#[test]
fn where_somebody_tells_of_it_it_is_no_black_hole() {
    let mut snapshot = testing::healthy();
    snapshot.evidence.holes.push(stalled());
    snapshot.evidence.complaints.insert(["192.0.2.77".parse().unwrap(), PEER]);
    assert_eq!(judge(&snapshot).len(), 1, "an error about what was never sent is no news");
    let mut refused = snapshot.clone();
    refused.evidence.complaints.insert([testing::LOCAL, PEER]);
    refused.evidence.holes.push(unseen());
    assert_eq!(judge(&refused), [], "neither way: what comes back is told to the peer");
    snapshot.peers.push(testing::peer(Path::new(Some(1500), None, Some(1400), None)));
    assert_eq!(judge(&snapshot), []);
}

#[test]
fn a_connection_that_stalls_from_its_first_data_on_is_enough() {
    let new = Hole { delivered_since_bytes: None, delivered_lately_bytes: Some(96), ..stalled() };
    assert_eq!(of(std::slice::from_ref(&new)).len(), 1);
    assert_eq!(of(&[Hole { is_echo: true, ..new }]), []);
}

/// Data from the peer of which only the end has come.
fn unseen() -> Hole {
    Hole {
        is_transmitted: false,
        times: 0,
        missing_bytes: 2896,
        age_seconds: 4.0,
        steady_seconds: 4.0,
        delivered_since_bytes: Some(240),
        ..testing::hole()
    }
}

#[test]
fn the_receivers_node_tells_it_too() {
    let [hit] = of(&[unseen()]).try_into().unwrap();
    assert_eq!((&hit.evidence["direction"], &hit.evidence["lost_length_bytes"]), (&"rx".into(), &1550.into()));
    let mut merged = testing::healthy();
    merged.evidence.holes.push(unseen());
    merged.evidence.is_merged = true;
    assert_eq!(judge(&merged), [], "behind GRO no size is that of a packet");
    let ended = Hole { is_ahead: true, age_seconds: 9.5, steady_seconds: 0.0, ..unseen() };
    assert_eq!(of(std::slice::from_ref(&ended)).len(), 1);
    // Whose capture it is was guessed, perhaps the wrong way round.
    assert_eq!(of(&[Hole { is_transmitted: true, ..ended }]).len(), 1);
}

#[test]
fn a_sender_that_has_found_out_proves_it() {
    let found_out = Hole {
        is_closed: true,
        given_up_length_bytes: Some(1550),
        length_bytes: Some(1074),
        delivered_since_bytes: Some(1072),
        ..stalled()
    };
    let [hit] = of(std::slice::from_ref(&found_out)).try_into().unwrap();
    assert_eq!(
        (&hit.evidence["lost_length_bytes"], &hit.evidence["delivered_length_bytes"]),
        (&1550.into(), &1074.into())
    );
    assert_eq!(of(&[Hole { delivered_since_bytes: Some(1552), ..found_out }]), []);
}

#[test]
fn echo_requests_do_not_tell_which_way_they_are_lost() {
    let [hit] = of(&[Hole { is_echo: true, ..stalled() }]).try_into().unwrap();
    assert_eq!(hit.evidence["direction"], "either");
    let [hit] = of(&[Hole { is_echo: true, ..stalled() }, unseen()]).try_into().unwrap();
    assert_eq!(hit.evidence["direction"], "rx");
}

#[test]
fn one_small_path_of_several_takes_two_flows_that_are_long_stuck() {
    let stuck = Hole { times: 4, confirmed_times: 3, delivered_since_bytes: Some(1552), ..stalled() };
    let other = Hole { source: ([10, 0, 0, 9].into(), 7), ..stuck };
    let [hit] = of(&[stuck.clone(), other.clone()]).try_into().unwrap();
    assert_eq!((&hit.evidence["is_partial"], &hit.evidence["flows"]), (&true.into(), &2.into()));
    assert_eq!(hit.evidence["recommended_inner_mtu_bytes"], 1230, "what the other paths take is no help");
    assert_eq!(of(std::slice::from_ref(&stuck)), [], "one flow");
    assert_eq!(of(&[Hole { times: 3, ..stuck }, other.clone()]), [], "bad luck");
    let short = Hole { length_bytes: Some(200), times: 2, ..other };
    assert_eq!(of(&[stuck, other, short]), [], "short ones are stuck as well");
}
