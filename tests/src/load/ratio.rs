//! How much faster an empty program that drops is than tunmon's, on whole frames: paired, in rounds of shuffled order.
//!
//! Contract: a row is exact, or says that it is not; and void when the empty program is not as fast as itself.

use anyhow::{Result, ensure};
use monitor::counts::Counts;
use monitor_common::packet::Class;
use serde::Serialize;

use super::generator::{Generator, Spread};
use super::receiver::{self, Receiver, Subject};
use super::wire::Wire;
use crate::bench::{machine, packets};

/// Frames of one burst.
const BURST: u32 = 200_000;

/// How far the paired ratio of the empty program to itself may be from 1.
const TWINS_APART: f64 = 0.05;

/// Of the packets on a path that must match, this part has to: the first of each burst finds nothing that waits.
const MATCHED: f64 = 0.999;

/// A way of frames through the program.
#[derive(Clone, Copy)]
pub struct Path {
    /// What tables and JSON call it.
    pub id: &'static str,
    frame: fn() -> Vec<u8>,
    spread: Option<Spread>,
    class: Class,
    /// The least ratio that is wanted; none where nothing was promised.
    target: Option<f64>,
}

/// Those that are compared.
pub fn paths() -> Vec<Path> {
    let path = |id, frame, class, target| Path { id, frame, spread: None, class, target };
    vec![
        path("not_ours", packets::plain_tcp, Class::Other, Some(0.95)),
        path("geneve_count", packets::tunnel_udp, Class::Geneve, None),
        path("tcp_steady", packets::tunnel_tcp, Class::Geneve, Some(0.87)),
        Path { spread: Some(Spread::default()), ..path("rtt_match", packets::tunnel_tcp, Class::Geneve, Some(0.62)) },
    ]
}

/// What a path has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The path.
    pub path: &'static str,
    /// Least time of a frame, generated and received by the empty program, in nanoseconds.
    pub empty_ns: f64,
    /// The same with tunmon's program.
    pub tunmon_ns: f64,
    /// Frames with tunmon's program in a second, in millions, of the median round.
    pub tunmon_mpps: f64,
    /// Median over the rounds of the empty program's time to tunmon's.
    pub ratio: f64,
    /// What it should be at least.
    pub target: Option<f64>,
    /// Median over the rounds of the empty program's time to its twin's.
    pub twins_ratio: f64,
    /// Frames to tunmon's program.
    pub frames: u64,
    /// Frames of all that did not arrive.
    pub lost: u64,
    /// RTT samples a frame.
    pub matches_per_frame: f64,
    /// Says whether all was counted, once, as what it is.
    pub exact: bool,
    /// Says whether the machine was too restless for the times to count.
    pub void: bool,
}

/// Measures one path for as many rounds as fit into `seconds`.
pub fn measure(path: &Path, wire: &Wire, objects: [&[u8]; 2], seconds: f64) -> Result<Row> {
    let mut receiver = Receiver::new(wire, objects[0], objects[1], receiver::default_sizes()?)?;
    let generator = Generator::load(objects[0], wire, (path.frame)(), path.spread)?;
    let _inside = wire.enter()?;
    let before = wire.received()?;
    let mut times: [Vec<f64>; 3] = Default::default();
    let mut order = Subject::ALL;
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    // The first round warms up.
    let mut rounds = 0;
    let mut end = u64::MAX;
    while rounds < 4 || machine::thread_time_ns() < end {
        machine::shuffle(&mut order, &mut seed);
        for subject in order {
            receiver.set(subject)?;
            let start = machine::thread_time_ns();
            generator.send(BURST)?;
            let passed = machine::thread_time_ns() - start;
            receiver.seen()?;
            times[subject as usize].push(passed as f64 / f64::from(BURST));
        }
        if rounds == 0 {
            times.iter_mut().for_each(Vec::clear);
            end = machine::thread_time_ns() + (seconds * 1e9) as u64;
        }
        rounds += 1;
    }
    ensure!(times.iter().all(|times| times.len() == rounds - 1), "a round is not whole");
    let sent = rounds as u64 * u64::from(BURST);
    let lost = 3 * sent - (wire.received()? - before);
    Ok(row(path, &times, sent, lost, &receiver.seen()?.0))
}

fn row(path: &Path, [empty, twin, tunmon]: &[Vec<f64>; 3], sent: u64, lost: u64, counts: &Counts) -> Row {
    let least = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
    let ratios = |over: &[f64]| median(empty.iter().zip(over).map(|(empty, other)| empty / other).collect());
    let matches: u64 = counts.tunnels.iter().flat_map(|one| one.counters.matches.as_flattened()).map(|m| m.count).sum();
    let matches_per_frame = matches as f64 / sent as f64;
    let twins_ratio = ratios(twin);
    Row {
        path: path.id,
        empty_ns: rounded(least(empty)),
        tunmon_ns: rounded(least(tunmon)),
        tunmon_mpps: rounded(1e3 / median(tunmon.clone())),
        ratio: rounded(ratios(tunmon)),
        target: path.target,
        twins_ratio: rounded(twins_ratio),
        frames: sent,
        lost,
        matches_per_frame: rounded(matches_per_frame),
        exact: lost == 0 && is_exact(path, counts, sent) && (path.spread.is_none() || matches_per_frame >= MATCHED),
        void: (twins_ratio - 1.0).abs() > TWINS_APART,
    }
}

/// Says whether all frames are in the path's class and no other, and those of tunnels in their tunnels.
fn is_exact(path: &Path, counts: &Counts, sent: u64) -> bool {
    let [received, transmitted] = &counts.totals.classes;
    let tracked: u64 = counts.tunnels.iter().map(|tracked| tracked.counters.traffic[0].packets).sum();
    let of_tunnels = received[Class::Geneve as usize];
    received[path.class as usize] == sent
        && received.iter().chain(transmitted).sum::<u64>() == sent
        && of_tunnels == tracked + counts.totals.untracked[0][0]
}

/// The middle one; not a number without any.
pub(super) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// To three digits behind the point.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}
