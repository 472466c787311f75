//! The kernel's histograms of round-trip times, summed over all processors.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aya::maps::PerCpuArray;
use monitor_common::count::Counters;
use monitor_common::histogram::{Histogram, RESERVED};
use monitor_common::rtt::{Leg, Method};

use super::Kernel;
use super::plain::Plain;
use crate::counts::{Counts, Distributions, Issued};

impl Kernel {
    /// What was counted on `device` so far, with the histograms.
    pub fn counts_with_histograms(&self, device: u32) -> Result<Counts> {
        let counts = self.counts(device)?;
        let slots = counts.tunnels.iter().map(|tracked| tracked.slot);
        Ok(Counts { distributions: self.histograms(slots)?, issued: self.issued()?, ..counts })
    }

    /// The histograms of the tunnels in `slots`.
    fn histograms(&self, slots: impl Iterator<Item = u16>) -> Result<Distributions> {
        let map = |name| self.ebpf.map(name).with_context(|| format!("map {name}"));
        let counters = PerCpuArray::<_, Plain<[Counters; 2]>>::try_from(map("COUNTERS")?).context("map COUNTERS")?;
        let histograms = PerCpuArray::<_, Plain<Histogram>>::try_from(map("HISTOGRAMS")?).context("map HISTOGRAMS")?;
        // A histogram's index means something on its processor only; each is read once, for all processors at a time.
        let mut owners = BTreeMap::<u32, Vec<(usize, (u16, Leg, Method))>>::new();
        for slot in slots {
            let pairs = counters.get(&u32::from(slot / 2), 0).context("map COUNTERS")?;
            for (processor, pair) in pairs.iter().enumerate() {
                for (leg, method, index) in issued(&pair.0[usize::from(slot % 2)]) {
                    owners.entry(index).or_default().push((processor, (slot, leg, method)));
                }
            }
        }
        let mut distributions = Distributions::default();
        for (index, owners) in owners {
            let values = histograms.get(&index, 0).context("map HISTOGRAMS")?;
            for (processor, owner) in owners {
                let own = values.get(processor).context("map HISTOGRAMS has fewer processors")?;
                distributions.entry(owner).or_default().merge(&own.0);
            }
        }
        Ok(distributions)
    }

    /// How many histograms were issued, and what came when none were left.
    fn issued(&self) -> Result<Issued> {
        let map = |name| self.ebpf.map(name).with_context(|| format!("map {name}"));
        let issued = PerCpuArray::<_, u32>::try_from(map("ISSUED")?).context("map ISSUED")?;
        let histograms = PerCpuArray::<_, Plain<Histogram>>::try_from(map("HISTOGRAMS")?).context("map HISTOGRAMS")?;
        let mut sum = Issued { most: self.sizes.histograms, ..Issued::default() };
        sum.issued = issued.get(&0, 0).context("map ISSUED")?.iter().copied().max().unwrap_or_default();
        for index in 1..RESERVED {
            let values = histograms.get(&index, 0).context("map HISTOGRAMS")?;
            sum.shared_samples += values.iter().map(|own| own.0.total()).sum::<u64>();
        }
        Ok(sum)
    }
}

/// The histograms that a tunnel has of its own.
fn issued(counters: &Counters) -> impl Iterator<Item = (Leg, Method, u32)> {
    let all = Leg::ALL.into_iter().flat_map(|leg| Method::ALL.map(|method| (leg, method)));
    all.map(|(leg, method)| (leg, method, u32::from(counters.histograms[leg as usize][method as usize])))
        .filter(|(_, _, index)| *index >= RESERVED)
}
