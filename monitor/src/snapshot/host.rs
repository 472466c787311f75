//! What the host itself counts.

/// Counters of the host's IP layer, in the interval (`/proc/net/snmp`, `snmp6`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Datagrams that could not be put together from their fragments.
    pub reassembly_failures: u64,
    /// Those of them of which a fragment did not come in time (30 s): Linux counts them as `ReasmTimeout`, which in other
    /// systems is that time.
    pub reassembly_timeouts: u64,
    /// Datagrams that were put together.
    pub reassembled: u64,
    /// Datagrams that had to be fragmented and must not be.
    pub fragmentation_failures: u64,
    /// Packets that the kernel's Geneve devices have refused, other than for want of a route or for a loop: too long ones.
    pub geneve_errors: u64,
}
