//! The rounds: every program loaded in one process, every case once a round, in another order each time.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::case::{Hook, Path};
use super::driver::{self, Driver};
use super::executed::Executed;
use super::machine;
use super::peer::Peer;
use super::record::{Record, Results, Seen, Subject};
use super::stage::Stage;

/// What a burst is to take, in nanoseconds, and how many packets it may have.
const BURST_NS: f64 = 2e6;
const BURST: RangeInclusive<f64> = 20_000.0..=1_000_000.0;
/// Packets of each flow in a burst, so that the caches hold what they would, and how many are enough of all flows.
const OF_EACH_FLOW: f64 = 2.0;
const DRIVEN: f64 = 100_000.0;
/// Where a driver takes the time by itself, a burst takes this long: three of its periods.
const TIMER_BURST_NS: f64 = 28e6;

/// What the bursts of every so many rounds did is asked of the maps: that takes longer than a burst.
const LOOK: usize = 4;

/// What to measure.
pub struct Plan {
    /// On which paths.
    pub paths: Vec<Path>,
    /// At which hooks.
    pub hooks: Vec<Hook>,
    /// Programs of others.
    pub peers: Vec<Peer>,
    /// Rounds.
    pub rounds: usize,
    /// Enough for a machine that is so slow that all rounds would take too long.
    pub patience: Duration,
}

/// Measures everything.
pub fn measure(plan: Plan) -> Result<Results> {
    let executed = |path| Ok([Executed::of(path, Hook::Xdp)?, Executed::of(path, Hook::Tc)?]);
    let executed = plan.paths.iter().map(executed).collect::<Result<_>>()?;
    let mut stage = Stage::load(plan.paths, &plan.hooks, &plan.peers)?;
    let mut records = stage.records();
    for record in &mut records {
        warm_up(&mut stage, record)?;
    }
    share_setup(&mut records);
    let mut order: Vec<usize> = (0..records.len()).collect();
    let (start, mut seed) = (Instant::now(), 0x9e37_79b9_7f4a_7c15);
    for round in 0..plan.rounds {
        machine::shuffle(&mut order, &mut seed);
        for index in &order {
            burst(&mut stage, &mut records[*index], round % LOOK == 0)?;
        }
        if start.elapsed() > plan.patience {
            break;
        }
    }
    let peers = plan.peers.into_iter().map(|peer| peer.name).collect();
    Ok(Results { paths: stage.paths, executed, peers, records })
}

/// Runs the record's subject until every flow has its entry and has been answered, and finds the size of its bursts.
fn warm_up(stage: &mut Stage, record: &mut Record) -> Result<()> {
    let drive = stage.path(record).and_then(|path| path.drive);
    timed(stage, record, drive.map_or(1000, |drive| (drive.count() * 4).max(1000)))?;
    // At XDP the kernel rewrites code of its own before and after each run of more than one packet.
    let setups = [timed(stage, record, 2)?, timed(stage, record, 2)?, timed(stage, record, 2)?];
    record.setup_ns = setups.into_iter().fold(f64::INFINITY, f64::min);
    let packet_ns = (timed(stage, record, *BURST.start() as u32)? - record.setup_ns).max(1.0) / BURST.start();
    let flows = drive.map_or(0, |drive| drive.count());
    let least = (OF_EACH_FLOW * f64::from(flows)).clamp(*BURST.start(), DRIVEN);
    let burst_ns = if stage.timer(record).is_some() { TIMER_BURST_NS } else { BURST_NS };
    record.burst = (burst_ns / packet_ns).clamp(least, *BURST.end()) as u32;
    stage.drain(record);
    Ok(())
}

/// What a burst takes besides its packets is the hook's, not the subject's; so the least of all counts, in which nothing
/// came between.
fn share_setup(records: &mut [Record]) {
    for hook in Hook::ALL {
        let of_hook = || records.iter().filter(|record| record.hook == hook);
        let least = of_hook().map(|record| record.setup_ns).fold(f64::INFINITY, f64::min);
        records.iter_mut().filter(|record| record.hook == hook).for_each(|record| record.setup_ns = least);
    }
}

/// Runs a burst and keeps its time; where `is_looked_at`, also keeps what it did.
fn burst(stage: &mut Stage, record: &mut Record, is_looked_at: bool) -> Result<()> {
    let before = if is_looked_at { stage.seen(record)? } else { Seen::default() };
    stage.timer(record).map_or(Ok(()), Driver::rest)?;
    let passed = timed(stage, record, record.burst)?;
    let progress = stage.timer(record).map(|driver| driver.progress()).transpose()?;
    let packet_ns = (passed - record.setup_ns) / f64::from(record.burst);
    record.times_ns.push(progress.map_or(packet_ns, |progress| progress.packet_ns.unwrap_or(f64::INFINITY)));
    let events = stage.drain(record);
    if is_looked_at {
        let after = stage.seen(record)?;
        record.packets += u64::from(record.burst);
        record.counted += after.counted - before.counted;
        record.matches += after.matches - before.matches;
        record.reportable += progress.map_or(0, |progress| progress.packets);
        record.events += events;
    }
    Ok(())
}

/// Runs the record's subject; the processor time that it took, in nanoseconds.
fn timed(stage: &Stage, record: &Record, repeat: u32) -> Result<f64> {
    let (program, frame) = (stage.program(record)?, stage.frame(record));
    let start = machine::thread_time_ns();
    let verdict = driver::run(program, &frame, repeat)?;
    let passed = machine::thread_time_ns() - start;
    let is_known = !matches!(record.subject, Subject::Peer(..));
    ensure!(!is_known || verdict == record.hook.verdict(), "{:?} returned {verdict}", record.subject);
    Ok(passed as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_setup_that_was_disturbed_makes_no_case_look_cheap() {
        let record = |hook, setup_ns| Record { setup_ns, ..Record::new(hook, Subject::Empty) };
        let mut records = [record(Hook::Xdp, 200.0), record(Hook::Tc, 5.0), record(Hook::Xdp, 900.0)];
        share_setup(&mut records);
        assert_eq!(records.map(|record| record.setup_ns), [200.0, 5.0, 200.0]);
    }
}
