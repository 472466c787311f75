//! Several processors at once, each with flows of its own, as a card spreads them over its queues.

use std::ops::Range;
use std::sync::Barrier;
use std::thread;

use anyhow::{Result, anyhow, ensure};
use aya::programs::{Program, ProgramFd};
use monitor_common::packet::Class;

use super::super::baseline::{self, Baseline};
use super::super::case::Hook;
use super::super::driver::{self, Drive, Driver};
use super::super::figures::MATCHED;
use super::super::loaded::{Loaded, floor};
use super::super::record::Seen;
use super::super::stage::DEVICE;
use super::super::{machine, packets};
use super::Point;

const HOOK: Hook = Hook::Xdp;
const FLOW_BITS: u32 = 10;
const ROUNDS: usize = 61;
/// Packets of a processor in a round: so many that all of them run at once nearly all the time.
const BURST: u32 = 60_000;

/// A program on some of the processors.
struct Crew {
    /// Number of processors.
    size: usize,
    drivers: Vec<Driver>,
    /// Least nanoseconds a packet of each.
    least_ns: Vec<f64>,
}

/// Measures on one processor and on several of those that are allowed.
pub(super) fn measure(allowed: &[usize]) -> Result<Vec<Point>> {
    let object = driver::object()?;
    let sizes: Vec<usize> = [1, 2, 4, 8, 16].into_iter().filter(|size| *size <= allowed.len()).collect();
    let members: usize = sizes.iter().sum();
    let loaded = Loaded::new((1 << FLOW_BITS) * members as u32)?;
    let all = Drive::flows(FLOW_BITS + members.next_power_of_two().ilog2());
    let c = Baseline::new([&baseline::object()?, &object], HOOK, Some(&all))?;
    let mut crews = Vec::new();
    let mut first = 0;
    for size in &sizes {
        for target in [None, Some(loaded.program(HOOK)?.fd()?), Some(c.itself()?.fd()?)] {
            crews.push(Crew::new(&object, first..first + size, target)?);
        }
        first += size;
    }
    let (mut order, mut seed) = ((0..crews.len()).collect::<Vec<_>>(), 0x9e37_79b9_7f4a_7c15);
    for _ in 0..ROUNDS {
        machine::shuffle(&mut order, &mut seed);
        for index in &order {
            crews[*index].burst(allowed)?;
        }
    }
    let packets = (ROUNDS * members) as f64 * f64::from(BURST);
    let ours = Seen::of(&loaded.kernel.counts(DEVICE)?, HOOK, Class::Geneve).matches as f64;
    let theirs = c.seen(Class::Geneve)?.matches as f64;
    ensure!(ours.min(theirs) >= MATCHED * packets, "{ours} and {theirs} matches of {packets} packets");
    let point = |crews: &[Crew]| {
        let net = |crew: &Crew| crew.slowest_ns() - crews[0].slowest_ns();
        Point { at: crews[0].size as u32, ours_ns: net(&crews[1]), c_ns: net(&crews[2]) }
    };
    Ok(crews.chunks(3).map(point).collect())
}

impl Crew {
    /// `target` behind a driver for each of these members, whose flows are not those of other crews; the empty program
    /// where there is no target.
    fn new(object: &[u8], members: Range<usize>, target: Option<&ProgramFd>) -> Result<Self> {
        let (size, mut drivers) = (members.len(), Vec::new());
        for number in members {
            let drive = Drive::flows(FLOW_BITS).apart(number);
            let mut driver = floor(object, HOOK, &drive)?;
            target.map_or(Ok(()), |target| driver.aim(target))?;
            drivers.push(driver);
        }
        Ok(Self { size, drivers, least_ns: vec![f64::INFINITY; size] })
    }

    /// Runs a burst on each processor at the same time.
    fn burst(&mut self, processors: &[usize]) -> Result<()> {
        let start = Barrier::new(self.size);
        let times: Vec<Result<f64>> = thread::scope(|scope| {
            let member = |(driver, processor)| {
                let start = &start;
                scope.spawn(move || member(driver, processor, start))
            };
            let members: Vec<_> = self.drivers.iter().zip(processors.iter().copied()).map(member).collect();
            members
                .into_iter()
                .map(|member| member.join().unwrap_or_else(|_| Err(anyhow!("a thread failed"))))
                .collect()
        });
        for (least, time) in self.least_ns.iter_mut().zip(times) {
            *least = least.min(time?);
        }
        Ok(())
    }

    fn slowest_ns(&self) -> f64 {
        self.least_ns.iter().copied().fold(0.0, f64::max)
    }
}

/// Nanoseconds a packet on one processor.
fn member(driver: &Driver, processor: usize, start: &Barrier) -> Result<f64> {
    let (program, frame) = (driver.drives(), packets::tunnel_tcp());
    let is_ready = machine::pin_to(processor).and(program);
    // All wait for all, also where one of them cannot go on.
    start.wait();
    let program = is_ready?;
    let setup = timed(program, &frame, 2)?.min(timed(program, &frame, 2)?);
    Ok((timed(program, &frame, BURST)? - setup).max(0.0) / f64::from(BURST))
}

fn timed(program: &Program, frame: &[u8], repeat: u32) -> Result<f64> {
    let start = machine::thread_time_ns();
    let verdict = driver::run(program, frame, repeat)?;
    ensure!(verdict == HOOK.verdict(), "returned {verdict}");
    Ok((machine::thread_time_ns() - start) as f64)
}
