//! Round trips through the kernel's own Geneve devices are netem's delay.

use std::time::Duration;

use tests::needs;
use tests::netns::Namespace;
use tests::oracle::{self, Way};
use tests::ping::Ping;

use super::nodes::{self, DEVICE, Nodes, TUNNEL, VNI, Wire};
use super::support::{self, Measured};

/// Long beside what a busy host adds to an emulated machine's timers, and less than the second that a request waits.
const DELAY: Duration = Duration::from_millis(300);
/// A request that leaves while another waits is not timed.
const INTERVAL: Duration = Duration::from_millis(800);
const ECHOES: u32 = 7;

/// Delays what leaves by `device`.
fn delay(namespace: &Namespace, device: &str) {
    namespace.run(&format!("tc qdisc add dev {device} root netem delay {}ms", DELAY.as_millis())).unwrap();
}

/// A round trip may be this much longer than what it is compared with.
fn most(time: f64) -> f64 {
    time * 1.05 + 0.001
}

/// The shortest round trip is netem's delay, and the median is tcpdump's: a busy host makes emulated timers late, so that
/// only the shortest is sure to be as netem was told.
fn assert_delay(measured: &Measured, leg: &str, asked: Way) {
    let rtt = measured.summary.rtt(VNI, leg, "echo").expect("echo samples");
    assert_eq!(rtt.count, u64::from(ECHOES));
    // Times are kept to three digits.
    let [min, p50] = [rtt.min_seconds, rtt.p50_seconds].map(|time| time.unwrap() * 1.002);
    let delay = DELAY.as_secs_f64();
    assert!(min >= delay && min <= most(delay), "{leg}: {rtt:?}, netem's delay is {delay} s");

    let frames = oracle::frames(measured.pcap.path()).unwrap();
    let trips = oracle::echo_round_trips(&frames, nodes::outer(1).into(), asked);
    let mut wire: Vec<f64> = trips.iter().map(|trip| trip.time.as_secs_f64()).collect();
    wire.sort_by(f64::total_cmp);
    let median = wire[wire.len() / 2];
    assert!(p50 <= most(median) && median <= most(p50), "{leg}: {rtt:?}, tcpdump's median is {median} s of {wire:?}");
    println!("{leg}: shortest {min} s, median {p50} s, tcpdump's {median} s");
}

#[test]
fn a_delay_at_either_node_is_the_round_trip_of_its_leg() {
    if support::skip_for(needs::missing(&[needs::CAPTURE]).or_else(|| needs::missing_module("sch_netem"))) {
        return;
    }
    let Some(nodes) = Nodes::create(Wire::Veth) else { return };
    // Each delays its answers behind the place where the other's requests were timed, and its requests before.
    delay(&nodes.two, DEVICE);
    delay(&nodes.one, TUNNEL);
    let measured = support::measure([&nodes.one, &nodes.two], DEVICE, "", || {
        for (from, to) in [(1, 2), (2, 1)] {
            let ping = Ping { count: ECHOES, interval: INTERVAL, ..Ping::to(nodes::inner(to)) };
            assert_eq!(ping.run(nodes.node(from)).unwrap().received, ECHOES);
        }
    });
    assert_delay(&measured, "remote", Way::Transmit);
    assert_delay(&measured, "local", Way::Receive);
}
