//! The C baseline: a program that does the basic work the straightforward way.
//!
//! What it costs says how much of a path's price is the machine's. It has counters of its own, which prove its work.

use anyhow::{Context, Result};
use aya::maps::{Array, MapData, PerCpuHashMap, RingBuf};
use aya::programs::Program;
use aya::{Ebpf, EbpfLoader, VerifierLogLevel};
use monitor_common::packet::Class;

use super::case::Hook;
use super::driver::{self, Drive, Driver};
use super::record::Seen;

const SOURCE: &str = concat!(include_str!("../../bpf/bpf.h"), include_str!("../../bpf/baseline.bpf.c"));

/// Entries a flow, and the least that a table has.
const ENTRIES: u32 = 2;
const ENTRIES_LEAST: u32 = 1024;

/// `struct tunnel` in words, and the words that are read.
type Tunnel = [u64; 36];
const PACKETS: usize = 0;
const SAMPLES: usize = 2;

/// Its variables.
type Variables = [u64; 3];
const OTHER: usize = 0;

/// Compiles the baseline.
pub fn object() -> Result<Vec<u8>> {
    driver::compile(SOURCE)
}

/// A loaded baseline.
pub struct Baseline {
    ebpf: Ebpf,
    ring: RingBuf<MapData>,
    hook: Hook,
    driver: Option<Driver>,
}

impl Baseline {
    /// Loads it, behind a driver if there is one.
    pub fn new([object, driver]: [&[u8]; 2], hook: Hook, drive: Option<&Drive>) -> Result<Self> {
        let (flows, reports) = drive.map_or((1, 0), |drive| (drive.count(), drive.batch));
        let mut ebpf = EbpfLoader::new()
            .verifier_log_level(VerifierLogLevel::DISABLE)
            .override_global("REPORTS", &reports, true)
            .map_max_entries("FLOWS_V4", (ENTRIES * flows).max(ENTRIES_LEAST))
            .load(object)
            .context("loading the C baseline")?;
        driver::load_program(&mut ebpf, &hook.suffixed("baseline"))?;
        let ring = RingBuf::try_from(ebpf.take_map("EVENTS").context("the baseline's events")?)?;
        let driver = drive.map(|drive| Driver::load(driver, hook, drive)).transpose()?;
        let mut baseline = Self { ebpf, ring, hook, driver };
        let target = baseline.itself()?.fd()?.try_clone()?;
        baseline.driver.as_mut().map_or(Ok(()), |driver| driver.aim(&target))?;
        Ok(baseline)
    }

    /// The program to run: the driver if there is one.
    pub fn program(&self) -> Result<&Program> {
        self.driver.as_ref().map_or_else(|| self.itself(), Driver::drives)
    }

    /// Its driver, if there is one.
    pub fn driver(&mut self) -> Option<&mut Driver> {
        self.driver.as_mut()
    }

    /// Throws away the events that are there; says how many there were.
    pub fn drain(&mut self) -> u64 {
        let mut events = 0;
        while self.ring.next().is_some() {
            events += 1;
        }
        events
    }

    /// The baseline without driver.
    pub fn itself(&self) -> Result<&Program> {
        self.ebpf.program(&self.hook.suffixed("baseline")).context("no program baseline")
    }

    /// What it has counted of a class.
    pub fn seen(&self, class: Class) -> Result<Seen> {
        let mut seen = Seen::default();
        let tunnels = self.ebpf.map("TUNNELS").context("the baseline's tunnels")?;
        for tunnel in PerCpuHashMap::<_, u32, Tunnel>::try_from(tunnels)?.iter() {
            let (_, processors) = tunnel.context("the baseline's tunnels")?;
            seen.counted += processors.iter().map(|tunnel| tunnel[PACKETS]).sum::<u64>();
            seen.matches += processors.iter().map(|tunnel| tunnel[SAMPLES]).sum::<u64>();
        }
        if class != Class::Geneve {
            let other = self.ebpf.map(".bss").context("the baseline's variables")?;
            let variables = Array::<_, Variables>::try_from(other)?.get(&0, 0).context("the baseline's variables")?;
            seen.counted = variables[OTHER];
        }
        Ok(seen)
    }
}
