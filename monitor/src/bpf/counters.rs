//! Counts out of the per-processor maps, summed over all processors.

use anyhow::{Context, Result};
use aya::maps::{Array, HashMap, MapError, PerCpuArray};
use monitor_common::count::{Counters, DEVICES, Totals};
use monitor_common::tunnel::Tunnel;

use super::Kernel;
use super::plain::Plain;
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
        let claims = HashMap::<_, u32, u8>::try_from(map("CLAIMS")?).context("map CLAIMS")?;
        let tunnels = Array::<_, Plain<Tunnel>>::try_from(map("TUNNELS")?).context("map TUNNELS")?;
        let counters = PerCpuArray::<_, Plain<[Counters; 2]>>::try_from(map("COUNTERS")?).context("map COUNTERS")?;
        let mut slots = claims.keys().collect::<Result<Vec<u32>, MapError>>().context("map CLAIMS")?;
        slots.sort_unstable();
        slots.into_iter().map(|slot| tracked(&tunnels, &counters, slot)).collect()
    }
}

fn tracked<M: std::borrow::Borrow<aya::maps::MapData>>(
    tunnels: &Array<M, Plain<Tunnel>>,
    counters: &PerCpuArray<M, Plain<[Counters; 2]>>,
    slot: u32,
) -> Result<Tracked> {
    let tunnel = tunnels.get(&slot, 0).context("map TUNNELS")?.0;
    let mut sum = Counters::default();
    for pair in counters.get(&(slot / 2), 0).context("map COUNTERS")?.iter() {
        sum.merge(&pair.0[slot as usize % 2]);
    }
    Ok(Tracked { slot: slot as u16, tunnel, counters: sum })
}
