//! Echo round trips agree with ping and with tcpdump, and go to the right leg. The topology is that of `Lab::ovs`.

use std::thread;
use std::time::Duration;

use tests::lab::{DEVICE, Lab, OVS_VNIS, Options, Pod};
use tests::netns;
use tests::oracle::{self, Way};
use tests::ping::{Ping, Report};
use tests::tunmon::Rtt;
use tests::wait;

use super::support;

/// Histograms keep three digits; ping prints as many.
const ROUNDING: f64 = 1.002;
/// How far the clock readings of tcpdump and tunmon may lie apart for one packet.
const HOOK_DISTANCE: f64 = 0.000_1;
/// The same for the unluckiest of many packets, on a machine that does other things too.
const WORST_HOOK_DISTANCE: f64 = 0.005;

#[test]
fn echo_round_trips_agree_with_ping_and_tcpdump() {
    let Some(lab) = support::ovs(Options::default()) else { return };
    let (near, far) = (lab.pod("p11"), lab.pod("p21"));
    let measured = support::measure(&lab, "", || {
        Ping { count: 50, interval: Duration::from_millis(20), ..Ping::to(far.ipv4) }.run(&near.namespace).unwrap()
    });
    let rtt = measured.summary.rtt(OVS_VNIS[0], "remote", "echo").expect("echo samples");
    assert_within_ping(rtt, &measured.traffic);

    let trips = oracle::echo_round_trips(&measured.frames, lab.outer(1), Way::Transmit);
    let mut wire: Vec<f64> = trips.iter().map(|trip| trip.time.as_secs_f64()).collect();
    wire.sort_by(f64::total_cmp);
    assert_eq!((wire.len(), rtt.count), (50, 50));
    assert_near("min", rtt.min_seconds.unwrap(), wire[0], HOOK_DISTANCE);
    assert_near("p50", rtt.p50_seconds.unwrap(), wire[24], HOOK_DISTANCE);
    assert_near("max", rtt.max_seconds.unwrap(), wire[49], WORST_HOOK_DISTANCE);
}

fn assert_near(name: &str, tunmon: f64, tcpdump: f64, distance: f64) {
    let difference = (tunmon - tcpdump).abs();
    assert!(difference < distance + (ROUNDING - 1.0) * tcpdump, "{name}: tunmon {tunmon}, tcpdump {tcpdump}");
}

/// Ping sees the pod, the switch and the wire; tunmon only the wire and what is behind it.
fn assert_within_ping(rtt: &Rtt, ping: &Report) {
    let [min, _, max] = ping.summary_ms.expect("ping was answered").map(|ms| ms / 1e3 * ROUNDING);
    assert!(rtt.min_seconds.unwrap() <= min, "tunmon {rtt:?}, ping {ping:?}");
    // Ping may have left before the last and slowest answer.
    assert!(rtt.max_seconds.unwrap() <= max || ping.received < ping.sent, "tunmon {rtt:?}, ping {ping:?}");
}

#[test]
fn a_slow_peer_shows_on_the_remote_leg() {
    check_freeze(2, "remote", |lab| (lab.pod("p11"), lab.pod("p21")));
}

#[test]
fn a_slow_own_switch_shows_on_the_local_leg() {
    check_freeze(1, "local", |lab| (lab.pod("p21"), lab.pod("p11")));
}

/// Freezes the switch behind which the answer waits: one round trip lasts at least as long as the freeze.
fn check_freeze(frozen: usize, leg: &str, pods: impl Fn(&Lab) -> (&Pod, &Pod)) {
    const FREEZE: Duration = Duration::from_millis(150);
    let Some(lab) = support::ovs(Options::default()) else { return };
    let (from, to) = pods(&lab);
    let measured = support::measure(&lab, "", || ping_into_freeze(&lab, frozen, from, to, FREEZE));
    let rtt = measured.summary.rtt(OVS_VNIS[0], leg, "echo").expect("echo samples");
    assert_eq!((measured.traffic.received, rtt.count), (1, 1));
    assert!(rtt.max_seconds.unwrap() * ROUNDING >= FREEZE.as_secs_f64(), "{rtt:?}");
    assert_within_ping(rtt, &measured.traffic);
}

/// Sends one ping to a node that stands still, and lets it go on a while after the request has passed node1.
fn ping_into_freeze(lab: &Lab, node: usize, from: &Pod, to: &Pod, freeze: Duration) -> Report {
    let before = netns::traffic(lab.node(1), DEVICE).unwrap();
    let frozen = lab.freeze(node).unwrap();
    thread::scope(|scope| {
        let ping = scope.spawn(|| Ping { count: 1, ..Ping::to(to.ipv4) }.run(&from.namespace).unwrap());
        wait::until("the request", Duration::from_secs(5), || {
            Ok((netns::traffic(lab.node(1), DEVICE)? != before).then_some(()))
        })
        .unwrap();
        // The length of the freeze is what is measured, no wait for a condition.
        thread::sleep(freeze);
        drop(frozen);
        ping.join().unwrap()
    })
}
