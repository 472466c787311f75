//! The reader of the ring buffers.

use anyhow::{Context, Result};
use aya::maps::{MapData, RingBuf};
use monitor_common::event::{Any, KINDS, Kind};

use super::{Kernel, rings};

/// Records that one look takes out of one ring at most, which is more than any ring holds: a flood cannot hold up
/// everything else, and each kind has its turn in every look.
const BUDGET: usize = 16_384;

/// Reads the events of each kind in the order in which they were submitted; kinds come one after the other.
pub struct Events {
    rings: [RingBuf<MapData>; KINDS],
    /// Records that were no events of their ring's kind, so far; what was handed on is for its taker to count.
    pub decode_errors: [u64; KINDS],
}

impl Kernel {
    /// Takes the ring buffers; there is one reader.
    pub fn take_events(&mut self) -> Result<Events> {
        let mut rings = Vec::with_capacity(KINDS);
        for name in Kind::ALL.map(rings::map) {
            let map = self.ebpf.take_map(name).with_context(|| format!("map {name} was taken before"))?;
            rings.push(RingBuf::try_from(map).with_context(|| format!("map {name}"))?);
        }
        let rings = rings.try_into().ok().context("a ring for each kind")?;
        Ok(Events { rings, decode_errors: [0; KINDS] })
    }
}

impl Events {
    /// Hands every event that is there to `deliver`; returns the number of records, events or not.
    pub fn drain(&mut self, mut deliver: impl FnMut(&Any)) -> usize {
        let mut records = 0;
        let rings = self.rings.iter_mut().zip(&mut self.decode_errors);
        for (kind, (ring, decode_errors)) in Kind::ALL.into_iter().zip(rings) {
            for _ in 0..BUDGET {
                let Some(item) = ring.next() else { break };
                records += 1;
                match Any::read(&item) {
                    Some(event) if event.head().kind == kind as u16 => deliver(&event),
                    _ => *decode_errors += 1,
                }
            }
        }
        records
    }
}
