//! Campaigns in virtual time, over paths that are made up.

mod world;

use std::time::Duration;

use super::ANSWERS_EVERY;
use super::campaign::{Action, Bounds, Campaign, Heard, Packet, Reason};
use super::pace::Pace;
use super::search::{End, Sizes};
use world::{RTT, Router, World};

const SIZES: Sizes = Sizes { base: 576, max: 1500 };
const BOUNDS: Bounds = Bounds { packets: 400, time: Duration::from_secs(30) };

fn campaign(flows: usize, sizes: Sizes, every: Duration) -> Campaign {
    Campaign::new(flows, sizes, BOUNDS, Pace::new(every))
}

/// What passes and how the search ended, a flow.
fn found(campaign: &Campaign) -> Vec<(Option<u32>, Option<End>)> {
    campaign.flows.iter().map(|flow| (flow.search.passes(), flow.search.end())).collect()
}

fn end_of(mtu: u32, sizes: Sizes) -> End {
    if mtu >= sizes.max { End::Whole } else { End::Smaller }
}

#[test]
fn every_path_mtu_is_found_to_the_byte_whatever_routers_say() {
    let routers = [Router::Silent, Router::Honest, Router::OneLess, Router::Names(0), Router::Names(67)]
        .into_iter()
        .chain([600, 1281, 1499, 1500, 9000, u32::MAX].map(Router::Names));
    for router in routers {
        for mtu in SIZES.base..=SIZES.max {
            let mut campaign = campaign(1, SIZES, Duration::ZERO);
            let (reason, _) = World { router, ..World::new(&[mtu]) }.probe(&mut campaign);
            assert_eq!(reason, Reason::Done);
            assert_eq!(found(&campaign), [(Some(mtu), Some(end_of(mtu, SIZES)))]);
            let fails = campaign.flows[0].search.fails();
            assert_eq!(fails, (mtu < SIZES.max).then_some(mtu + 1));
            assert!(campaign.packets() <= 60, "{mtu}: {} packets", campaign.packets());
        }
    }
}

#[test]
fn a_router_that_slanders_a_path_is_not_believed() {
    for (mtu, named) in [(1500, 600), (1500, 1400), (1400, 577), (1400, 1399), (576, 575)] {
        let mut campaign = campaign(2, SIZES, Duration::ZERO);
        World { router: Router::Slanders(named), ..World::new(&[mtu; 2]) }.probe(&mut campaign);
        assert_eq!(found(&campaign), [(Some(mtu), Some(end_of(mtu, SIZES))); 2], "{named}");
        assert!(campaign.flows[0].reports.iter().any(|report| report.mtu_bytes == named));
    }
}

#[test]
fn jumbo_paths_are_searched_within_the_bounds() {
    let sizes = Sizes { base: 1280, max: 9000 };
    for mtu in (1280..=9000).step_by(7).chain([8951, 8952, 8999, 9000]) {
        let mut campaign = campaign(4, sizes, Duration::ZERO);
        let (reason, _) = World::new(&[mtu; 4]).probe(&mut campaign);
        assert_eq!((reason, found(&campaign)), (Reason::Done, vec![(Some(mtu), Some(end_of(mtu, sizes))); 4]));
    }
}

#[test]
fn each_path_of_several_is_found_for_itself() {
    for mtus in [[1500, 1400, 1500, 1500], [1400, 1500, 1442, 600], [576, 1500, 577, 1499], [1400, 1400, 1400, 1401]] {
        let mut campaign = campaign(4, SIZES, Duration::ZERO);
        World::new(&mtus).probe(&mut campaign);
        assert_eq!(found(&campaign), mtus.map(|mtu| (Some(mtu), Some(end_of(mtu, SIZES)))));
    }
}

#[test]
fn a_dead_path_of_several_is_silent_and_the_others_are_found() {
    let mut campaign = campaign(3, SIZES, Duration::ZERO);
    World::new(&[0, 1400, 0]).probe(&mut campaign);
    let silent = (None, Some(End::Silent));
    assert_eq!(found(&campaign), [silent, (Some(1400), Some(End::Smaller)), silent]);
}

#[test]
fn a_dead_peer_gets_five_small_packets_and_no_more() {
    let mut campaign = campaign(4, SIZES, ANSWERS_EVERY[0]);
    let (reason, time) = World::new(&[0; 4]).probe(&mut campaign);
    assert_eq!((reason, campaign.packets(), time), (Reason::Silent, 5, Duration::from_secs(5)));
}

#[test]
fn chance_makes_no_size_pass_that_does_not_and_seldom_hides_one() {
    let (mut judged, mut right) = (0, 0);
    for seed in 0..4000_u64 {
        let mtu = SIZES.base + (seed * 379 % 925) as u32;
        let mut campaign = campaign(1, SIZES, Duration::ZERO);
        let (reason, time) = World { loss: 50 + seed % 151, chance: seed, ..World::new(&[mtu]) }.probe(&mut campaign);
        assert!(campaign.packets() <= BOUNDS.packets && time <= BOUNDS.time, "{seed}");
        let (passes, end) = found(&campaign)[0];
        assert!(passes.is_none_or(|passes| passes <= mtu), "seed {seed}: {passes:?} of {mtu}");
        if reason == Reason::Done && matches!(end, Some(End::Whole | End::Smaller)) {
            judged += 1;
            right += u32::from(passes == Some(mtu));
        }
    }
    assert!(judged >= 3980 && right * 1000 >= judged * 995, "{right} of {judged} are right");
}

/// The first outage makes a suspicion, the second one begins somewhere in its proof.
#[test]
fn outages_at_any_moments_make_no_path_small() {
    for seed in 0..20_000_u64 {
        let (mtu, jitter) = ([1405, 1500][seed as usize % 2], Duration::from_millis(seed % 3 * 45));
        let [first, second] = [seed * 7919 % 2000, seed * 104_729 % 9000];
        let outages = [[first, first + 350], [second, second + 2500]].map(|outage| outage.map(Duration::from_millis));
        let mut campaign = campaign(1, SIZES, Duration::ZERO);
        World { outages, jitter, chance: seed, ..World::new(&[mtu]) }.probe(&mut campaign);
        let (passes, end) = found(&campaign)[0];
        assert!(end != Some(End::Smaller) || passes == Some(mtu), "{outages:?}: {passes:?} of {mtu}");
    }
}

#[test]
fn answers_in_disorder_are_those_of_their_packets() {
    for seed in 0..150 {
        let (mtu, jitter) = (SIZES.base + (seed * 379 % 925) as u32, Duration::from_millis(seed));
        let mut campaign = campaign(2, SIZES, Duration::ZERO);
        World { jitter, chance: seed, ..World::new(&[mtu; 2]) }.probe(&mut campaign);
        assert_eq!(found(&campaign), [(Some(mtu), Some(end_of(mtu, SIZES))); 2], "{seed}");
    }
}

#[test]
fn a_limit_on_answers_is_not_taken_for_a_small_path() {
    // What Linux does, and with nothing left by another probe a moment ago.
    for (limit, every) in [(1000, ANSWERS_EVERY[0]), (100, ANSWERS_EVERY[1]), (25, ANSWERS_EVERY[1])] {
        for credit in [6.0, 3.0, 1.0, 0.0] {
            for mtu in [576, 800, 1279, 1400, 1404, 1450, 1499, 1500] {
                for router in [Router::Silent, Router::Honest] {
                    let mut campaign = campaign(4, SIZES, every);
                    let limit = Duration::from_millis(limit);
                    let (reason, time) = World { limit, credit, router, ..World::new(&[mtu; 4]) }.probe(&mut campaign);
                    let wanted = vec![(Some(mtu), Some(end_of(mtu, SIZES))); 4];
                    assert_eq!((reason, found(&campaign)), (Reason::Done, wanted), "{time:?} {limit:?} {credit}");
                }
            }
        }
    }
}

#[test]
fn a_stricter_limit_than_is_reckoned_with_leads_to_no_small_path() {
    for mtu in [1500, 1400] {
        let mut campaign = campaign(4, SIZES, ANSWERS_EVERY[0]);
        World { limit: Duration::from_secs(4), ..World::new(&[mtu; 4]) }.probe(&mut campaign);
        for (passes, end) in found(&campaign) {
            assert!(end != Some(End::Smaller) || passes == Some(mtu), "{passes:?} of {mtu}");
        }
    }
}

#[test]
fn the_bounds_on_packets_and_time_hold() {
    for packets in 1..40 {
        let bounds = Bounds { packets, ..BOUNDS };
        let mut campaign = Campaign::new(4, SIZES, bounds, Pace::new(Duration::ZERO));
        let (reason, _) = World::new(&[1407; 4]).probe(&mut campaign);
        assert!(campaign.packets() <= packets);
        assert_eq!(reason == Reason::Packets, campaign.packets() == packets && reason != Reason::Done);
    }
    for millis in (10..20_000).step_by(311) {
        let bounds = Bounds { time: Duration::from_millis(millis), ..BOUNDS };
        let mut campaign = Campaign::new(4, SIZES, bounds, Pace::new(ANSWERS_EVERY[0]));
        let (reason, time) = World { limit: ANSWERS_EVERY[0], ..World::new(&[1407; 4]) }.probe(&mut campaign);
        assert!(time <= bounds.time && (reason == Reason::Done || time == bounds.time), "{time:?} {reason:?}");
    }
}

#[test]
fn an_answer_that_comes_late_is_believed_and_one_to_nothing_is_not() {
    let mut campaign = campaign(1, SIZES, Duration::ZERO);
    let Action::Send(knock) = campaign.next(Duration::ZERO) else { panic!() };
    campaign.heard(Heard::Answer(knock.number + 7), RTT);
    assert_eq!(found(&campaign), [(None, None)]);
    campaign.heard(Heard::Answer(knock.number), RTT);
    let mut now = RTT;
    // The whole size is given up, and answered then.
    let mut whole = None;
    while campaign.flows[0].search.fails().is_none() {
        match campaign.next(now) {
            Action::Send(packet) => whole = Some(packet),
            Action::Wait(until) => now = until,
            Action::End(reason) => panic!("{reason:?}"),
        }
    }
    let whole = whole.filter(|packet| packet.size <= SIZES.max).unwrap();
    campaign.heard(Heard::Answer(whole.number - 1), now);
    assert_eq!(found(&campaign), [(Some(SIZES.max), Some(End::Whole))]);
    assert_eq!(campaign.next(now + RTT), Action::End(Reason::Done));
}

/// The next packet, when its time has come.
fn sent(campaign: &mut Campaign, now: &mut Duration) -> Packet {
    loop {
        match campaign.next(*now) {
            Action::Send(packet) => return packet,
            Action::Wait(until) => *now = until,
            Action::End(reason) => panic!("{reason:?}"),
        }
    }
}

#[test]
fn an_answer_from_before_the_larger_size_failed_is_no_proof() {
    let (mut campaign, mut now) = (campaign(1, Sizes { base: 576, max: 578 }, Duration::ZERO), Duration::ZERO);
    let knock = sent(&mut campaign, &mut now);
    campaign.heard(Heard::Answer(knock.number), now);
    let mut smaller = Vec::new();
    // The smaller size is answered at its second try; the larger one fails; the smaller one is tried again.
    while smaller.len() < 3 {
        let packet = sent(&mut campaign, &mut now);
        if packet.size == 577 {
            smaller.push(packet.number);
            if smaller.len() == 2 {
                campaign.heard(Heard::Answer(packet.number), now);
            }
        }
    }
    campaign.heard(Heard::Answer(smaller[0]), now);
    assert_eq!(found(&campaign), [(Some(577), None)]);
    campaign.heard(Heard::Answer(smaller[2]), now);
    assert_eq!(found(&campaign), [(Some(577), Some(End::Smaller))]);
}
