//! The rounds: every program loaded in one process, every case once a round, in another order each time.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aya::programs::Program;

use super::baseline::{self, Baseline};
use super::case::{self, Hook, Path};
use super::driver::{self, Driver};
use super::loaded::{Driven, Loaded};
use super::record::{Record, Seen, Subject};
use super::{machine, packets};

const ROUNDS: usize = 81;
/// Enough rounds for a machine that is so slow that all of them would take too long.
const PATIENCE: Duration = Duration::from_secs(45);

/// What a burst is to take, in nanoseconds, and how many packets it may have.
const BURST_NS: f64 = 4e6;
const BURST: RangeInclusive<f64> = 20_000.0..=250_000.0;
/// Packets over many flows that a burst has at least: several of each flow, so that the caches hold what they would.
const DRIVEN_BURST: f64 = 100_000.0;

/// Index of the device that test runs have: loopback.
const DEVICE: u32 = 1;

/// Everything that is loaded.
struct Bench {
    paths: Vec<Path>,
    /// For the paths whose packets are all the same.
    plain: Loaded,
    /// The empty programs, per hook; no packet is driven here.
    empty: [Driver; 2],
    /// Per path and hook.
    driven: Vec<[Option<Driven>; 2]>,
    /// Per path and hook.
    baselines: Vec<[Option<Baseline>; 2]>,
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
        let (object, baseline) = (driver::object()?, baseline::object()?);
        let paths = case::paths();
        let (mut driven, mut baselines) = (Vec::new(), Vec::new());
        for path in &paths {
            let load = |hook| path.flow_bits.map(|bits| Driven::new(&object, hook, bits)).transpose();
            driven.push([load(Hook::Xdp)?, load(Hook::Tc)?]);
            let load = |hook| path.has_baseline.then(|| Baseline::new([&baseline, &object], hook, path)).transpose();
            baselines.push([load(Hook::Xdp)?, load(Hook::Tc)?]);
        }
        let empty = [Driver::load(&object, Hook::Xdp, 0)?, Driver::load(&object, Hook::Tc, 0)?];
        Ok(Self { paths, plain: Loaded::new(1)?, empty, driven, baselines })
    }

    fn records(&self) -> Vec<Record> {
        let mut subjects = vec![Subject::Empty, Subject::Twin];
        for (index, path) in self.paths.iter().enumerate() {
            subjects.push(Subject::Path(index));
            subjects.extend(path.flow_bits.map(|_| Subject::Floor(index)));
            subjects.extend(path.has_baseline.then_some(Subject::Baseline(index)));
        }
        Hook::ALL.into_iter().flat_map(|hook| subjects.iter().map(move |subject| Record::new(hook, *subject))).collect()
    }

    /// Runs the record's subject until every flow has its entry and has been answered, and finds the size of its bursts.
    fn warm_up(&mut self, record: &mut Record) -> Result<()> {
        let is_driven = self.driven(record).is_some();
        self.timed(record, if is_driven { (4 << self.flow_bits(record)).max(1000) } else { 1000 })?;
        // At XDP the kernel rewrites code of its own before and after each run of more than one packet.
        let setups = [self.timed(record, 2)?, self.timed(record, 2)?, self.timed(record, 2)?];
        record.setup_ns = setups.into_iter().fold(f64::INFINITY, f64::min);
        let packet_ns = (self.timed(record, 20_000)? - record.setup_ns).max(1.0) / 20_000.0;
        let least = if is_driven { DRIVEN_BURST } else { *BURST.start() };
        record.burst = (BURST_NS / packet_ns).clamp(least, *BURST.end()) as u32;
        self.loaded(record).events.drain(|_| {});
        Ok(())
    }

    fn burst(&mut self, record: &mut Record) -> Result<()> {
        let before = self.seen(record)?;
        let passed = self.timed(record, record.burst)?;
        record.times_ns.push((passed - record.setup_ns) / f64::from(record.burst));
        let after = self.seen(record)?;
        self.loaded(record).events.drain(|_| {});
        record.packets += u64::from(record.burst);
        record.counted += after.counted - before.counted;
        record.matches += after.matches - before.matches;
        Ok(())
    }

    /// What the subject's own counters have come to; the empty programs have none.
    fn seen(&mut self, record: &Record) -> Result<Seen> {
        match record.subject {
            Subject::Empty | Subject::Twin | Subject::Floor(_) => Ok(Seen::default()),
            Subject::Baseline(path) => self.baseline(path, record.hook)?.seen(),
            Subject::Path(path) => {
                let class = self.paths[path].class;
                Ok(Seen::of(&self.loaded(record).kernel.counts(DEVICE)?, record.hook, class))
            }
        }
    }

    /// Runs the record's subject; the processor time that it took, in nanoseconds.
    fn timed(&self, record: &Record, repeat: u32) -> Result<f64> {
        let (program, frame) = (self.program(record)?, self.frame(record));
        let start = machine::thread_time_ns();
        let verdict = driver::run(program, &frame, repeat)?;
        let passed = machine::thread_time_ns() - start;
        ensure!(verdict == record.hook.verdict(), "{:?} at {:?} returned {verdict}", record.subject, record.hook);
        Ok(passed as f64)
    }

    fn driven(&self, record: &Record) -> Option<&Driven> {
        record.subject.path().and_then(|path| self.driven[path][record.hook.direction().index()].as_ref())
    }

    fn baseline(&self, path: usize, hook: Hook) -> Result<&Baseline> {
        self.baselines[path][hook.direction().index()].as_ref().context("a path without baseline")
    }

    fn loaded(&mut self, record: &Record) -> &mut Loaded {
        let Subject::Path(path) = record.subject else { return &mut self.plain };
        match &mut self.driven[path][record.hook.direction().index()] {
            Some(driven) => &mut driven.loaded,
            None => &mut self.plain,
        }
    }

    fn program(&self, record: &Record) -> Result<&Program> {
        let empty = &self.empty[record.hook.direction().index()];
        match (record.subject, self.driven(record)) {
            (Subject::Empty, _) => empty.program("empty"),
            (Subject::Twin, _) => empty.program("twin"),
            (Subject::Floor(_), driven) => driven.context("a path without driver")?.floor.program("drive"),
            (Subject::Path(_), Some(driven)) => driven.driver.program("drive"),
            (Subject::Baseline(path), _) => self.baseline(path, record.hook)?.program(),
            (Subject::Path(_), None) => self.plain.program(record.hook),
        }
    }

    fn path(&self, record: &Record) -> Option<&Path> {
        record.subject.path().map(|path| &self.paths[path])
    }

    fn flow_bits(&self, record: &Record) -> u32 {
        self.path(record).and_then(|path| path.flow_bits).unwrap_or(0)
    }

    fn frame(&self, record: &Record) -> Vec<u8> {
        self.path(record).map_or_else(packets::plain_tcp, |path| (path.frame)())
    }
}
