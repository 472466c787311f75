//! What was counted on one device, from the kernel's maps or from tables in memory.

use monitor_common::count::{Counters, Totals};
use monitor_common::heap::HeapTables;
use monitor_common::tunnel::Tunnel;

/// All counts of one device since the start.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// The device as a whole.
    pub totals: Totals,
    /// Each tunnel that has a slot.
    pub tunnels: Vec<Tracked>,
}

/// A tunnel and what was counted of it.
#[derive(Clone, Copy, Debug)]
pub struct Tracked {
    /// The tunnel.
    pub tunnel: Tunnel,
    /// Its counts.
    pub counters: Counters,
}

impl Counts {
    /// The counts of `device` in tables that were filled by a capture.
    pub fn of(tables: &HeapTables, device: u32) -> Self {
        let tunnels = tables
            .tracked()
            .filter(|(_, tunnel, _)| tunnel.device() == device)
            .map(|(_, tunnel, counters)| Tracked { tunnel: *tunnel, counters: *counters })
            .collect();
        Self { totals: *tables.totals_of(device), tunnels }
    }
}
