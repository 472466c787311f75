//! A reader that stands still: tunmon is stopped (SIGSTOP) in the middle of a flood.

use std::time::{Duration, Instant};

use monitor::bpf::{Sizes, load};
use monitor_common::event::Kind;
use serde_json::Value;
use tests::load::wire::{DEVICE, Wire};
use tests::raw::Sender;
use tests::tunmon::Tunmon;

use super::{has_rights, sources};

/// Frames that are sent at once, and the longest time that they may take to be a flood of many times the limit.
const FRAMES: usize = 16_384;
const SOON: Duration = Duration::from_millis(256);
/// Of a fragment's event with its header; and how many of them a processor sends in a period of 2^20 ns.
const BYTES: u32 = 72;
const BURST: u32 = 16;
const FEW: usize = 10;
const AFTER: usize = 4;

/// Sends fragments for twice the time in which one processor fills the ring at its limit; returns their number.
fn flood(sender: &Sender) -> usize {
    let ring_bytes = Sizes::new(1, 1, 1, load::processors().unwrap()).ring_bytes[Kind::Fragment as usize];
    let enough = 2 * Duration::from_nanos(1 << 20) * (ring_bytes / BYTES / BURST);
    let frame = sources::base("first_outer_fragment");
    let (mut sent, mut flooded) = (0, Duration::ZERO);
    for _ in 0..1000 {
        let before = Instant::now();
        send(sender, &frame, FRAMES);
        sent += FRAMES;
        flooded += Some(before.elapsed()).filter(|time| *time < SOON).unwrap_or_default();
        if flooded > enough {
            return sent;
        }
    }
    panic!("{sent} frames were a flood for {flooded:?}, of {enough:?}");
}

fn send(sender: &Sender, frame: &[u8], times: usize) {
    (0..times).for_each(|_| sender.send(frame).unwrap());
}

fn fragments(record: &Value) -> u64 {
    record["accounting"]["events_by_kind"]["fragment"]["delivered"].as_u64().unwrap_or(0)
}

#[test]
fn a_reader_that_stands_still_costs_no_packet_and_hides_no_other_kind() {
    if !has_rights() {
        return;
    }
    let wire = Wire::create().unwrap();
    let sender = wire.sender().unwrap();
    let mut tunmon = Tunmon::start(&wire.far, DEVICE, "--interval 100ms").unwrap();
    tunmon.signal(libc::SIGSTOP).unwrap();
    let mut sent = flood(&sender);
    send(&sender, &sources::base("icmp_error"), FEW);
    tunmon.signal(libc::SIGCONT).unwrap();
    let held = fragments(tunmon.wait_for("what the ring held", |record| fragments(record) > 0).unwrap());
    // The ring takes events again.
    send(&sender, &sources::base("first_outer_fragment"), AFTER);
    sent += AFTER;
    tunmon.wait_for("later events", |record| (1..=AFTER as u64).contains(&fragments(record))).unwrap();
    let summary = tunmon.stop().unwrap().summary().unwrap();
    println!("{sent} frames, {held} held, {:?}", summary.accounting.events_by_kind);
    summary.check_identities().unwrap();
    assert_eq!(summary.accounting.seen, (sent + FEW) as u64);
    assert_eq!(summary.accounting.classes["geneve"], sent as u64);
    assert_eq!(summary.accounting.classes["icmp_error"], FEW as u64);
    let [fragment, icmp_error] = ["fragment", "icmp_error"].map(|kind| summary.accounting.events_by_kind[kind]);
    assert_eq!((fragment.wanted, fragment.delivered), (sent as u64, held + AFTER as u64));
    assert!(fragment.ring_full > 0, "{fragment:?}");
    assert_eq!((icmp_error.wanted, icmp_error.delivered), (FEW as u64, FEW as u64));
}
