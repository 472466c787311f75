//! The programs under test in the kernel, and the drivers before them.

use anyhow::{Context, Result};
use aya::programs::Program;
use monitor::bpf::events::Events;
use monitor::bpf::{Kernel, Sizes, load};

use super::case::Hook;
use super::driver::Driver;

/// Entries a flow: with fewer, flows that share a bucket would take it from each other, and no match be measured.
const ENTRIES: u32 = 8;

/// The programs with tables of their own, and the reader of their events.
pub struct Loaded {
    /// The programs and the tables.
    pub kernel: Kernel,
    /// The reader.
    pub events: Events,
}

/// What a path over many flows has at a hook.
pub struct Driven {
    /// Tables of its own, so that no case closes what another one awaits.
    pub loaded: Loaded,
    /// Drives the program under test.
    pub driver: Driver,
    /// Drives the empty program.
    pub floor: Driver,
}

impl Loaded {
    /// Loads them for this many flows.
    pub fn new(flows: u32) -> Result<Self> {
        let mut kernel =
            Kernel::load(&[6081], Sizes::new(128, 256, flows * ENTRIES, load::processors()?), load::random_seed()?)?;
        let events = kernel.take_events()?;
        Ok(Self { kernel, events })
    }

    /// The program under test at a hook.
    pub fn program(&self, hook: Hook) -> Result<&Program> {
        let mut programs = self.kernel.programs();
        let found = programs.find(|(name, _)| *name == hook.program());
        found.map(|(_, program)| program).with_context(|| format!("no program {}", hook.program()))
    }
}

impl Driven {
    /// Loads all of it for `1 << flow_bits` flows.
    pub fn new(object: &[u8], hook: Hook, flow_bits: u32) -> Result<Self> {
        let loaded = Loaded::new(1 << flow_bits)?;
        let (mut driver, mut floor) = (Driver::load(object, hook, flow_bits)?, Driver::load(object, hook, flow_bits)?);
        driver.aim(loaded.program(hook)?.fd()?)?;
        let empty = floor.program("empty")?.fd()?.try_clone()?;
        floor.aim(&empty)?;
        Ok(Self { loaded, driver, floor })
    }
}
