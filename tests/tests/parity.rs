//! One source, two answers: the same bytes through the pipeline in user space and through the loaded programs, run by
//! BPF_PROG_TEST_RUN, amount to the same packets, counts and events.
//!
//! A test run has no device: how drivers lay frames out (heads of a few bytes, tags in the metadata, which a test run's
//! context may not set) is for the live tests. Frames under 14 bytes it refuses; those only user space is shown.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

#[path = "parity/begin.rs"]
mod begin;
#[path = "parity/captured.rs"]
mod captured;
#[path = "parity/compare.rs"]
mod compare;
#[path = "parity/generated.rs"]
mod generated;
#[path = "parity/histograms.rs"]
mod histograms;
#[path = "parity/machine.rs"]
mod machine;
#[path = "parity/negative.rs"]
mod negative;
#[path = "parity/pair.rs"]
mod pair;
#[path = "parity/proof.rs"]
mod proof;
#[path = "parity/step.rs"]
mod step;

use generated::{sequence, truncations};
use monitor_common::heap::HeapTables;
use monitor_common::observe::observe;
use monitor_common::packet::{Class, Malformed, Packet};
use pair::Settings;
use proof::Proof;
use step::{DEVICE, Program, SHORTEST, Step, programs, smallest};
use tests::frame::base_packets;
use tests::needs;

/// Whether programs can be loaded; says so if not.
fn can_load() -> bool {
    let reason = needs::missing(&[]);
    if let Some(reason) = &reason {
        needs::skip(reason);
    }
    reason.is_none()
}

/// Tables from so small that most finds no room, to such that nothing is turned away.
const SETTINGS: [(u32, u32, bool); 5] =
    [(2, 1, true), (16, 4, true), (64, 4, false), (256, 16, true), (4096, 4096, true)];
/// Frames for each of them.
const FRAMES: usize = 24_000;

#[test]
fn kernel_and_user_space_agree_on_frames_by_chance() {
    if !can_load() {
        return;
    }
    let (programs, mut proof, mut ring_full) = (programs(), Proof::default(), 0);
    for (seed, (tunnels, buckets, reads_events)) in (1..).zip(SETTINGS) {
        let settings = Settings { tunnels, buckets, seed: seed << 40 | 77, reads_events };
        let steps = sequence(seed, FRAMES, &programs);
        proof.prove(&format!("sequence {seed}"), settings, &steps);
        let full: u64 = proof.totals.events.iter().map(|outcome| outcome.ring_full).sum();
        assert!(reads_events == (full == ring_full), "a ring that is read is never full, one that is not is");
        ring_full = full;
    }
    println!("{} frames, {} by the long way, {} events", proof.frames, proof.long_way, proof.events);
    assert_coverage(&proof);
}

/// Everything that can be counted was.
fn assert_coverage(proof: &Proof) {
    let totals = &proof.totals;
    assert!(proof.frames >= 100_000, "{proof:?}");
    assert!(proof.long_way > proof.frames / 5 && proof.long_way < proof.frames * 4 / 5, "{proof:?}");
    assert!(totals.classes.as_flattened().iter().all(|count| *count > 0), "a class is missing: {totals:?}");
    assert!(totals.malformed[..Malformed::ALL.len()].iter().all(|count| *count > 0), "a reason is missing: {totals:?}");
    let rest = [totals.attributed, totals.orphans, totals.flows_inserted, totals.flows_evicted];
    assert!(rest.iter().chain(totals.untracked.as_flattened()).all(|count| *count > 0), "{totals:?}");
    assert!(proof.matches.as_flattened().iter().all(|count| *count > 0), "a method has no samples: {proof:?}");
    assert!(proof.events > 1000, "{proof:?}");
}

#[test]
fn kernel_and_user_space_agree_on_every_capture() {
    if !can_load() {
        return;
    }
    let mut proof = Proof::default();
    for rx in programs().into_iter().filter(|program| *program != Program::TcTx) {
        let steps: Vec<Step> = captured::paths().iter().flat_map(|path| captured::steps(path, rx)).collect();
        proof.prove(&format!("captures, {rx:?}"), Settings::default(), &steps);
    }
    println!("{} frames, {} by the long way", proof.frames, proof.long_way);
    assert!(proof.frames > 6000, "captures are missing: {proof:?}");
}

#[test]
fn kernel_and_user_space_agree_on_every_truncation_of_the_base_packets() {
    if !can_load() {
        return;
    }
    let mut proof = Proof::default();
    proof.prove("truncations", Settings::default(), &truncations(&programs()));
    println!("{} frames, {} by the long way", proof.frames, proof.long_way);
    assert!(proof.frames > 10_000, "{proof:?}");
}

#[test]
fn a_frame_without_an_ethernet_header_is_other_and_no_test_run() {
    if !can_load() {
        return;
    }
    let kernel = smallest();
    for program in programs() {
        for length in 0..SHORTEST {
            let step = Step::new(program, base_packets()[0].1[..length].to_vec());
            assert!(kernel.test_run(program.name(), &step.bytes, None).is_err(), "{program:?}: {length} bytes");
            let (mut tables, (frame, bytes)) = (HeapTables::with_flows(1), step.seen());
            observe(bytes, &frame, &mut tables, &mut Packet::default(), || 0);
            let classes = tables.totals_of(DEVICE).classes;
            assert_eq!(classes[frame.direction() as usize][Class::Other as usize], 1, "{length} bytes");
        }
    }
}
