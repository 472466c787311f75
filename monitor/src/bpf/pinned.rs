//! Goes on with what an earlier run has pinned: maps, links, the events in the rings.

use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result};
use aya::maps::{Map, PerCpuValues};
use monitor_common::count::{DEVICES, Totals};
use monitor_common::event::{KINDS, Kind};
use monitor_common::wire::geneve::Ports;

use super::load::{Identity, random_seed};
use super::pins::{self, Generation, Pins, Purpose, State};
use super::plain::Plain;
use super::syscall::{self, Hook};
use super::{Kernel, OBJECT, Sizes, rings};
use crate::clock;
use crate::counts::{ByKind, Consumed};
use crate::device::Device;

/// The pins of a run, and the generation of programs that it has loaded.
pub(super) struct Pinned {
    pub(super) pins: Pins,
    generation: Generation,
    /// Whether counts go on that were there before.
    is_resumed: bool,
}

/// What an earlier run has left in the rings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Records that are there, per kind.
    pub records: [u64; KINDS],
    /// What became of the events of each device, with those in the rings taken for read.
    pub consumed: Vec<ByKind>,
}

/// Readings at most until two are alike.
const ATTEMPTS: u32 = 100;

impl Kernel {
    /// As [`Kernel::load`], for links and maps that stay when this process ends; goes on with those that are there.
    ///
    /// Everything that is attached keeps counting meanwhile: [`Kernel::attach`] swaps the programs.
    pub fn load_pinned(ports: &[u16], sizes: Sizes, mut pins: Pins) -> Result<Self> {
        let ports = Ports::new(ports);
        let namespace = fs::metadata("/proc/thread-self/ns/net").context("the network namespace")?.ino();
        let purpose = Purpose::new(&sizes, ports.0, namespace);
        let state = pins.resume(&purpose)?;
        let seed = state.map_or_else(random_seed, |state| Ok(state.seed))?;
        let mut kernel = Self::load_from(OBJECT, ports, sizes, seed, true, Some(&pins))?;
        pins.keep(state.unwrap_or(State::new(purpose, seed, clock::since_boot().as_nanos() as u64)))?;
        let generation = pins.new_generation()?;
        for name in pins::STEPS {
            let Some(Map::ProgramArray(array)) = kernel.ebpf.map(name) else { continue };
            generation.pin_steps(name, array.fd())?;
        }
        for name in pins::ENTRIES.iter().filter(|name| kernel.has(name)) {
            generation.pin_program(&kernel.identity(name)?, kernel.descriptor(name)?)?;
        }
        kernel.pins = Some(Pinned { pins, generation, is_resumed: state.is_some() });
        Ok(kernel)
    }

    fn has(&self, name: &str) -> bool {
        self.features.xdp_frags || name != "tunmon_xdp_frag"
    }

    /// Whether everything stays attached when this process ends.
    pub fn is_pinned(&self) -> bool {
        self.pins.is_some()
    }

    /// Whether counts of an earlier run go on; absent without pins.
    pub fn is_resumed(&self) -> Option<bool> {
        self.pins.as_ref().map(|pinned| pinned.is_resumed)
    }

    /// When counting began, in nanoseconds since boot, if it was in an earlier run.
    pub fn began_ns(&self) -> Option<u64> {
        self.pins.as_ref().filter(|pinned| pinned.is_resumed)?.pins.state().map(|state| state.began_ns)
    }

    /// Makes the counts ready for `devices`, before anything is attached to them: links of other devices are let go, and
    /// the counts of a device that was made anew go on.
    pub fn resume(&mut self, devices: &[Device]) -> Result<()> {
        let Some(pinned) = &self.pins else { return Ok(()) };
        let indexes: Vec<u32> = devices.iter().map(|device| device.index).collect();
        pinned.pins.release_others(&indexes)?;
        let Some(state) = pinned.pins.state().copied() else { return Ok(()) };
        for device in devices {
            match state.index_of(&device.name) {
                Some(before) if before == device.index => {}
                Some(before) if !indexes.contains(&before) => self.rebind(before, device.index)?,
                // The place may have counts of a device that is watched no more.
                _ if state.is_at(device.index) => {}
                _ => self.forget(device.index)?,
            }
        }
        Ok(())
    }

    /// Everything is attached: what earlier programs needed may go.
    pub fn resumed(&mut self) -> Result<()> {
        match &mut self.pins {
            Some(pinned) => pinned.pins.remove_earlier(&pinned.generation),
            None => Ok(()),
        }
    }

    /// The link of an earlier run, with this run's program in it.
    pub(super) fn adopt(&self, device: &Device, hook: Hook) -> Result<Option<OwnedFd>> {
        let Some(Pinned { pins, .. }) = &self.pins else { return Ok(None) };
        let Some((link, program)) = pins.link(device.index, hook)? else { return Ok(None) };
        match syscall::link_update(link.as_fd(), self.descriptor(&program.name)?) {
            Ok(()) => Ok(Some(link)),
            // The device has gone meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => {
                pins.release(device.index, hook)?;
                Ok(None)
            }
            Err(error) => Err(error).with_context(|| format!("swapping {} on {}", program.name, device.name)),
        }
    }

    /// Pins a new link, if links are pinned.
    pub(super) fn keep_link(&self, link: &OwnedFd, device: &Device, hook: Hook) -> Result<()> {
        self.pins.as_ref().map_or(Ok(()), |pinned| pinned.pins.pin_link(link, device.index, hook))
    }

    /// Whether an earlier run has left a link to this hook.
    pub(super) fn has_pin(&self, device: &Device, hook: Hook) -> bool {
        self.pins.as_ref().is_some_and(|pinned| matches!(pinned.pins.link(device.index, hook), Ok(Some(_))))
    }

    /// The programs that filters of ours may have: this run's, and those of an earlier one with the same pins.
    pub(super) fn own_filters(&self) -> Result<Vec<Identity>> {
        let own = ["tunmon_tc_rx", "tunmon_tc_tx"].map(|name| self.identity(name));
        let mut own = own.into_iter().collect::<Result<Vec<_>>>()?;
        own.extend(self.pins.iter().flat_map(|pinned| pinned.pins.earlier.iter().cloned()));
        Ok(own)
    }

    /// Lets pinned links of a device go, of which the programs are to be detached.
    pub(super) fn unpin(&self, device: &Device, hooks: &[Hook]) -> Result<()> {
        let Some(Pinned { pins, .. }) = &self.pins else { return Ok(()) };
        hooks.iter().try_for_each(|hook| pins.release(device.index, *hook))
    }

    /// Keeps in mind which device has the counts of this index, and whether a clsact qdisc was made for it now.
    pub(crate) fn remember(&mut self, name: &str, index: u32, has_qdisc: bool) -> Result<()> {
        match &mut self.pins {
            Some(pinned) => pinned.pins.with_state(|state| state.remember(name, index, has_qdisc)),
            None => Ok(()),
        }
    }

    /// What an earlier run has left in the rings, and what became of all events of `devices` before.
    pub fn backlog(&self, devices: &[u32]) -> Result<Backlog> {
        if !self.is_resumed().unwrap_or_default() {
            return Ok(Backlog { consumed: vec![ByKind::default(); devices.len()], ..Backlog::default() });
        }
        let mut last = self.look_back(devices)?;
        for _ in 0..ATTEMPTS {
            let next = self.look_back(devices)?;
            if next == last {
                return Ok(next);
            }
            last = next;
        }
        tracing::warn!("events come too fast to tell exactly how many an earlier run has read");
        Ok(last)
    }

    fn look_back(&self, devices: &[u32]) -> Result<Backlog> {
        let mut backlog = Backlog::default();
        for kind in Kind::ALL {
            let name = rings::map(kind);
            let Some(Map::RingBuf(ring)) = self.ebpf.map(name) else { continue };
            let [written, read] = rings::written_and_read(kind, ring).with_context(|| format!("map {name}"))?;
            backlog.records[kind as usize] = written - read;
        }
        for device in devices {
            let consumed = self.totals(*device)?.events.map(|outcome| {
                let consumed = outcome.submitted;
                Consumed { consumed, delivered: consumed, decode_errors: 0 }
            });
            backlog.consumed.push(consumed);
        }
        Ok(backlog)
    }

    /// Begins anew with the counts of a device, to which nothing is attached.
    fn forget(&mut self, device: u32) -> Result<()> {
        let slot = device & (DEVICES - 1);
        let none = vec![Plain(Totals::default()); self.sizes.processors];
        self.totals.set(slot, PerCpuValues::try_from(none)?, 0).context("map TOTALS")
    }
}
