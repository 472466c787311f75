//! The programs under test in the kernel, and the drivers before them.

use anyhow::{Context, Result};
use aya::programs::Program;
use monitor::bpf::events::Events;
use monitor::bpf::{Kernel, Sizes, load};

use super::case::Hook;
use super::driver::{Drive, Driver};

/// Entries a flow: with fewer, flows that share a bucket would take it from each other, and no match be measured.
const ENTRIES: u32 = 4;
/// Entries for few flows: the default of tunmon.
const ENTRIES_LEAST: u32 = 65_536;

/// The programs with tables of their own, and the reader of their events.
pub struct Loaded {
    /// The programs and the tables.
    pub kernel: Kernel,
    /// The reader.
    pub events: Events,
}

/// What a driven path has.
pub struct Driven {
    /// Tables of its own, so that no case closes what another one awaits.
    pub loaded: Loaded,
    /// Per hook, where it is measured: drives the program under test.
    pub drivers: [Option<Driver>; 2],
    /// Per hook, where it is measured: drives the empty program.
    pub floors: [Option<Driver>; 2],
}

impl Loaded {
    /// Loads them for this many flows.
    pub fn new(flows: u32) -> Result<Self> {
        let sizes = Sizes::new(128, 256, (flows * ENTRIES).max(ENTRIES_LEAST), load::processors()?);
        let mut kernel = Kernel::load(&[6081], sizes, load::random_seed()?)?;
        let events = kernel.take_events()?;
        Ok(Self { kernel, events })
    }

    /// The program under test at a hook.
    pub fn program(&self, hook: Hook) -> Result<&Program> {
        let mut programs = self.kernel.programs();
        let found = programs.find(|(name, _)| *name == hook.program());
        found.map(|(_, program)| program).with_context(|| format!("no program {}", hook.program()))
    }

    /// Throws away the events that are there; says how many there were.
    pub fn drain(&mut self) -> u64 {
        let mut events = 0;
        self.events.drain(|_| events += 1);
        events
    }
}

impl Driven {
    /// Loads all of it. Each hook has flows of its own, so that none closes what the other one awaits.
    pub fn new(object: &[u8], hooks: &[Hook], drive: &Drive) -> Result<Self> {
        let loaded = Loaded::new(drive.count() * hooks.len() as u32)?;
        let mut driven = Self { loaded, drivers: [None, None], floors: [None, None] };
        for (number, hook) in hooks.iter().enumerate() {
            let drive = drive.apart(number);
            let mut driver = Driver::load(object, *hook, &drive)?;
            driver.aim(driven.loaded.program(*hook)?.fd()?)?;
            driven.drivers[hook.index()] = Some(driver);
            driven.floors[hook.index()] = Some(floor(object, *hook, &drive)?);
        }
        Ok(driven)
    }
}

/// A driver of the empty program.
pub fn floor(object: &[u8], hook: Hook, drive: &Drive) -> Result<Driver> {
    let mut floor = Driver::load(object, hook, drive)?;
    let empty = floor.program("empty")?.fd()?.try_clone()?;
    floor.aim(&empty)?;
    Ok(floor)
}
