//! The rounds: every program loaded in one process, every case once a round, in another order each time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aya::programs::Program;
use monitor::bpf::events::Events;
use monitor::bpf::{Kernel, Sizes, load};
use monitor::counts::Counts;

use super::case::{self, Hook, Path};
use super::driver::{self, Driver};
use super::{machine, packets};

const ROUNDS: usize = 61;
/// Enough rounds for a machine that is so slow that all of them would take too long.
const PATIENCE: Duration = Duration::from_secs(35);

/// Packets in a burst that are all the same.
const BURST: u32 = 50_000;
/// Packets in a burst over many flows: several of each flow, so that the caches hold what they would.
const DRIVEN_BURST: u32 = 100_000;

/// Room for the flows of all cases, four times over: what is measured is a match, not an eviction.
const MAX_FLOWS: u32 = 1 << 20;

/// Index of the device that test runs have: loopback.
const DEVICE: u32 = 1;

/// What runs in a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The empty program.
    Empty,
    /// The empty program a second time.
    Twin,
    /// The driver with the empty program, for the path with this index.
    Floor(usize),
    /// The path with this index.
    Path(usize),
}

/// A subject at a hook and what was seen of it.
pub struct Record {
    /// Hook.
    pub hook: Hook,
    /// Subject.
    pub subject: Subject,
    /// Nanoseconds a packet, by round.
    pub times_ns: Vec<f64>,
    /// Packets sent.
    pub packets: u64,
    /// Packets that were counted as what the path says.
    pub counted: u64,
    /// RTT samples.
    pub matches: u64,
}

/// Everything that is loaded.
struct Bench {
    kernel: Kernel,
    events: Events,
    paths: Vec<Path>,
    /// The empty programs, per hook; no packet is driven here.
    empty: [Driver; 2],
    /// Per hook and path two drivers, of the empty program and of the one under test, where the path has them.
    drivers: Vec<[Option<[Driver; 2]>; 2]>,
}

/// Measures everything.
pub fn measure() -> Result<(Vec<Path>, Vec<Record>)> {
    let mut bench = Bench::load()?;
    let mut records = bench.records();
    for record in &mut records {
        bench.warm_up(record)?;
    }
    let mut order: Vec<usize> = (0..records.len()).collect();
    let (start, mut seed) = (Instant::now(), 0x9e37_79b9_7f4a_7c15);
    for _ in 0..ROUNDS {
        machine::shuffle(&mut order, &mut seed);
        for index in &order {
            bench.burst(&mut records[*index])?;
        }
        if start.elapsed() > PATIENCE {
            break;
        }
    }
    Ok((bench.paths, records))
}

impl Bench {
    fn load() -> Result<Self> {
        let object = driver::compile()?;
        let mut kernel = Kernel::load(&[6081], Sizes::new(128, 256, MAX_FLOWS, load::processors()?))?;
        let events = Events::new(kernel.take_ring()?);
        let empty = [Driver::load(&object, Hook::Xdp, 0, 0)?, Driver::load(&object, Hook::Tc, 0, 0)?];
        let paths = case::paths();
        let mut drivers = Vec::new();
        for (index, path) in paths.iter().enumerate() {
            let load = |hook| pair(&kernel, &object, hook, path, index);
            drivers.push([load(Hook::Xdp)?, load(Hook::Tc)?]);
        }
        Ok(Self { kernel, events, paths, empty, drivers })
    }

    fn records(&self) -> Vec<Record> {
        let subjects = (0..self.paths.len()).flat_map(|index| [Subject::Path(index), Subject::Floor(index)]);
        let subjects: Vec<_> = [Subject::Empty, Subject::Twin].into_iter().chain(subjects).collect();
        let mut records = Vec::new();
        for hook in Hook::ALL {
            for subject in &subjects {
                if !matches!(subject, Subject::Floor(index) if self.paths[*index].flow_bits.is_none()) {
                    let (subject, times_ns) = (*subject, Vec::new());
                    records.push(Record { hook, subject, times_ns, packets: 0, counted: 0, matches: 0 });
                }
            }
        }
        records
    }

    /// Runs the record's subject until every flow has its entry and has been answered once.
    fn warm_up(&mut self, record: &Record) -> Result<()> {
        let repeat = match record.subject {
            Subject::Path(index) => self.paths[index].flow_bits.map_or(1000, |bits| 4 << bits).max(1000),
            Subject::Empty | Subject::Twin | Subject::Floor(_) => 1000,
        };
        driver::run(self.program(record)?, &self.frame(record), repeat)?;
        self.events.drain(|_| {});
        Ok(())
    }

    fn burst(&mut self, record: &mut Record) -> Result<()> {
        let is_driven = matches!(record.subject, Subject::Floor(_)) || self.is_driven(record);
        let (repeat, frame) = (if is_driven { DRIVEN_BURST } else { BURST }, self.frame(record));
        let before = self.kernel.counts(DEVICE)?;
        let program = self.program(record)?;
        let start = machine::thread_time_ns();
        let verdict = driver::run(program, &frame, repeat)?;
        let passed = machine::thread_time_ns() - start;
        ensure!(verdict == record.hook.verdict(), "{:?} at {:?} returned {verdict}", record.subject, record.hook);
        record.times_ns.push(passed as f64 / f64::from(repeat));
        let after = self.kernel.counts(DEVICE)?;
        record.packets += u64::from(repeat);
        if let Subject::Path(index) = record.subject {
            let class = self.paths[index].class as usize;
            let counted = |counts: &Counts| counts.totals.classes[record.hook.direction().index()][class];
            record.counted += counted(&after) - counted(&before);
            record.matches += samples(&after) - samples(&before);
        }
        self.events.drain(|_| {});
        Ok(())
    }

    fn is_driven(&self, record: &Record) -> bool {
        matches!(record.subject, Subject::Path(index) if self.paths[index].flow_bits.is_some())
    }

    fn frame(&self, record: &Record) -> Vec<u8> {
        match record.subject {
            Subject::Empty | Subject::Twin => packets::plain_tcp(),
            Subject::Floor(index) | Subject::Path(index) => (self.paths[index].frame)(),
        }
    }

    fn program(&self, record: &Record) -> Result<&Program> {
        let hook = record.hook.direction().index();
        let driven = |index: usize| self.drivers[index][hook].as_ref();
        match record.subject {
            Subject::Empty => self.empty[hook].program("empty"),
            Subject::Twin => self.empty[hook].program("twin"),
            Subject::Floor(index) => driven(index).context("a path without driver")?[0].program("drive"),
            Subject::Path(index) => match driven(index) {
                Some([_, driver]) => driver.program("drive"),
                None => under_test(&self.kernel, record.hook),
            },
        }
    }
}

fn under_test(kernel: &Kernel, hook: Hook) -> Result<&Program> {
    let mut programs = kernel.programs();
    let found = programs.find(|(name, _)| *name == hook.program());
    found.map(|(_, program)| program).with_context(|| format!("no program {}", hook.program()))
}

/// The drivers of a path: the first hands over to the empty program, the second to the one under test.
fn pair(kernel: &Kernel, object: &[u8], hook: Hook, path: &Path, index: usize) -> Result<Option<[Driver; 2]>> {
    let Some(flow_bits) = path.flow_bits else { return Ok(None) };
    // Flows of their own for each case, so that none closes what another one awaits.
    let network = 1 + 2 * index as u32 + hook.direction().index() as u32;
    let mut drivers =
        [Driver::load(object, hook, flow_bits, network)?, Driver::load(object, hook, flow_bits, network)?];
    let empty = drivers[0].program("empty")?.fd()?.try_clone()?;
    drivers[0].aim(&empty)?;
    drivers[1].aim(under_test(kernel, hook)?.fd()?)?;
    Ok(Some(drivers))
}

fn samples(counts: &Counts) -> u64 {
    let matches = counts.tunnels.iter().flat_map(|tracked| tracked.counters.matches.as_flattened());
    matches.map(|matches| matches.count).sum()
}
