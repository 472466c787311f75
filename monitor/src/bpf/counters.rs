//! Counts out of the per-processor maps, summed over all processors.

use anyhow::{Context, Result};
use aya::maps::{Array, PerCpuValues};
use monitor_common::count::{Counters, DEVICES, Totals};
use monitor_common::tunnel::Tunnel;

use super::plain::Plain;
use super::{Kernel, bulk};
use crate::counts::{Counts, Tracked};

impl Kernel {
    /// What was counted on `device` as a whole so far, without what is counted per tunnel ([`Counts::whole`]).
    pub fn totals(&self, device: u32) -> Result<Totals> {
        let mut totals = Totals::default();
        for own in self.totals.get(&(device & (DEVICES - 1)), 0).context("map TOTALS")?.iter() {
            totals.merge(&own.0);
        }
        Ok(totals)
    }

    /// What was counted on `device` so far.
    pub fn counts(&self, device: u32) -> Result<Counts> {
        let totals = self.totals(device)?;
        let tunnels = self.tunnels()?.into_iter().filter(|tracked| tracked.tunnel.device() == device).collect();
        Ok(Counts { totals, tunnels, ..Counts::default() }.whole())
    }

    /// The tunnel in a slot, if it has one.
    pub fn tunnel(&self, slot: u16) -> Option<Tunnel> {
        let map = self.ebpf.map("TUNNELS")?;
        let tunnels = Array::<_, Plain<Tunnel>>::try_from(map).ok()?;
        tunnels.get(&u32::from(slot), 0).ok().map(|tunnel| tunnel.0).filter(|tunnel| *tunnel != Tunnel::default())
    }

    /// All tunnels that have a slot, with what was counted.
    fn tunnels(&self) -> Result<Vec<Tracked>> {
        let map = |name| self.ebpf.map(name).with_context(|| format!("map {name}"));
        let mut slots = bulk::keys(map("CLAIMS")?, self.sizes.tunnels).context("map CLAIMS")?;
        slots.sort_unstable();
        let mut tracked = self.keys(&slots)?;
        let mut pairs: Vec<u32> = slots.iter().map(|slot| slot / 2).collect();
        pairs.dedup();
        let mut next = tracked.iter_mut().peekable();
        bulk::PerProcessor::<[Counters; 2]>::new(map("COUNTERS")?)
            .and_then(|mut counters| {
                counters.read(&pairs, |pair, processors| {
                    while let Some(tracked) = next.next_if(|tracked| u32::from(tracked.slot) / 2 == pair) {
                        let way = usize::from(tracked.slot) % 2;
                        processors.iter().for_each(|own| tracked.counters.merge(&own[way]));
                    }
                })
            })
            .context("map COUNTERS")?;
        Ok(tracked)
    }

    /// The tunnels in `slots`, with nothing counted. A slot keeps its tunnel, so each is read once; but one that was
    /// claimed a moment ago may not have it yet.
    fn keys(&self, slots: &[u32]) -> Result<Vec<Tracked>> {
        let map = self.ebpf.map("TUNNELS").context("map TUNNELS")?;
        let tunnels = Array::<_, Plain<Tunnel>>::try_from(map).context("map TUNNELS")?;
        let mut known = self.known.borrow_mut();
        let mut tracked = Vec::with_capacity(slots.len());
        for slot in slots {
            let tunnel = known.get_mut(*slot as usize).context("a slot beyond map TUNNELS")?;
            // The first look may find one that is being written, of which its identity comes last: so the second is whole.
            if tunnel.is_free() && !tunnels.get(slot, 0).context("map TUNNELS")?.0.is_free() {
                *tunnel = tunnels.get(slot, 0).context("map TUNNELS")?.0;
            }
            tracked.push(Tracked { slot: *slot as u16, tunnel: *tunnel, counters: Counters::default() });
        }
        Ok(tracked)
    }

    /// Goes on with the counts of a device under another index, before anything is attached to it. No program may be
    /// attached to the device of the old index any more.
    pub fn rebind(&mut self, before: u32, now: u32) -> Result<()> {
        let [from, to] = [before, now].map(|device| device & (DEVICES - 1));
        if from != to {
            let mut sums = Vec::new();
            for (old, new) in self.totals.get(&from, 0)?.iter().zip(self.totals.get(&to, 0)?.iter()) {
                let mut sum = new.0;
                sum.merge(&old.0);
                sums.push(Plain(sum));
            }
            let none = vec![Plain(Totals::default()); sums.len()];
            self.totals.set(to, PerCpuValues::try_from(sums)?, 0).context("map TOTALS")?;
            self.totals.set(from, PerCpuValues::try_from(none)?, 0).context("map TOTALS")?;
        }
        let slots = bulk::keys(self.ebpf.map("CLAIMS").context("map CLAIMS")?, self.sizes.tunnels)?;
        let map = self.ebpf.map_mut("TUNNELS").context("map TUNNELS")?;
        let mut tunnels = Array::<_, Plain<Tunnel>>::try_from(map).context("map TUNNELS")?;
        let mut known = self.known.borrow_mut();
        for slot in slots {
            let tunnel = tunnels.get(&slot, 0).context("map TUNNELS")?.0;
            if tunnel.device() == before && !tunnel.is_free() {
                let tunnel = tunnel.through(now);
                tunnels.set(slot, Plain(tunnel), 0).context("map TUNNELS")?;
                *known.get_mut(slot as usize).context("a slot beyond map TUNNELS")? = tunnel;
            }
        }
        Ok(())
    }
}
