//! The reader stands still (SIGSTOP) while frames come at full speed.
//!
//! Each frame answers one of its flow, so nearly each is a sample that wants its event.

use std::thread;
use std::time::{Duration, Instant};

use monitor_common::event::Kind;
use serde_json::Value;
use tests::bench::packets;
use tests::load::generator::{self, Generator, Spread};
use tests::load::usage;
use tests::load::wire::{DEVICE, Wire};
use tests::netns;
use tests::tunmon::Tunmon;

use super::{alone, choose};

/// So many flows that their samples use up the limit on rates, which fills the ring within two seconds.
const FLOWS: Spread = Spread { vni_bits: 0, peer_bits: 0, flow_bits: 12 };
/// Frames of one go, a quarter of a second.
const BURST: u32 = 1 << 18;
/// How long the load goes on when the reader is back, and how soon it has to deliver again.
const AFTERWARDS: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(1);

/// Sends until `end`; returns the number of frames.
fn send_until(end: Instant, wire: &Wire, generator: &Generator) -> u64 {
    let mut sent = 0;
    let send = || {
        while Instant::now() < end {
            generator.send(BURST)?;
            sent += u64::from(BURST);
        }
        Ok(())
    };
    wire.on_sending_side(send).unwrap();
    sent
}

fn samples(record: &Value, fate: &str) -> u64 {
    record["accounting"]["events_by_kind"][Kind::Rtt.name()][fate].as_u64().unwrap_or(0)
}

/// Waits for a report of events that found room again and were read.
fn wait_for_delivery(tunmon: &mut Tunmon) {
    let full = tunmon.wait_for("a full ring", |record| samples(record, "ring_full") > 0).unwrap()["ts"].clone();
    let is_later = |record: &Value| record["ts"].as_str() > full.as_str();
    let delivers = |record: &Value| {
        samples(record, "ring_full") == 0 && samples(record, "submitted") > 0 && samples(record, "delivered") > 0
    };
    tunmon.wait_for("new events", |record| is_later(record) && delivers(record)).unwrap();
}

#[test]
fn a_reader_that_stands_still_at_full_speed_costs_no_packet_and_delivers_again_within_a_second() {
    let Some((wire, object)) = generator::ready().unwrap() else { return };
    let stopped = choose(Duration::from_secs(4), Duration::from_secs(60));
    let _alone = alone();
    // Frames for this device are counted where they enter the stack, behind the programs.
    wire.far.ip(&[format!("link set {DEVICE} address 02:00:00:00:00:02")]).unwrap();
    let generator = Generator::load(&object, &wire, packets::tunnel_tcp(), Some(FLOWS)).unwrap();
    let arrived = || (wire.received().unwrap(), netns::ip_received(&wire.far).unwrap());
    let before = arrived();
    let mut tunmon = Tunmon::start(&wire.far, DEVICE, "--interval 100ms").unwrap();
    usage::prefer(tunmon.pid()).unwrap();
    tunmon.wait_for("a report", |record| record["schema"] == "tunmon.interval/v1").unwrap();
    tunmon.signal(libc::SIGSTOP).unwrap();
    let end = Instant::now() + stopped + AFTERWARDS;
    let (sent, away) = thread::scope(|scope| {
        let sender = scope.spawn(|| send_until(end, &wire, &generator));
        thread::sleep(stopped);
        tunmon.signal(libc::SIGCONT).unwrap();
        let back = Instant::now();
        wait_for_delivery(&mut tunmon);
        let away = back.elapsed();
        (sender.join().unwrap(), away)
    });
    let after = arrived();
    let summary = tunmon.stop().unwrap().summary().unwrap();
    let rtt = summary.accounting.events_by_kind[Kind::Rtt.name()];
    println!("{sent} frames, delivered again after {away:?}, {rtt:?}");
    summary.check_identities().unwrap();
    assert_eq!((after.0 - before.0, after.1 - before.1), (sent, sent), "frames on the device and in its stack");
    assert_eq!((summary.accounting.seen, summary.accounting.classes["geneve"]), (sent, sent));
    let matched = summary.rtt(1, "remote", "timestamp").map(|rtt| rtt.count);
    assert_eq!(matched, Some(rtt.wanted), "each sample wants an event");
    // A few flows find their bucket full.
    assert!(rtt.wanted > sent / 10 * 9, "{rtt:?}");
    assert!(rtt.ring_full > 0, "{rtt:?}");
    assert!(away <= SOON, "{away:?}");
}
