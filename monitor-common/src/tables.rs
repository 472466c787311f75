//! The memory of the pipeline as a trait: BPF maps in the kernel, vectors in user space.
//!
//! A look-up by index returns `None` only for an index past the table, which the masks rule out.

use crate::count::{Counters, Totals};
use crate::event::Event;
use crate::event::pending::Pending;
use crate::flow::Bucket;
use crate::tunnel::Tunnel;
use crate::wire::geneve::Ports;

/// Settings and tables of one pipeline.
pub trait Tables {
    /// UDP destination ports of the tunnels.
    fn ports(&self) -> Ports;
    /// A random number that makes hashes unpredictable.
    fn seed(&self) -> u64;
    /// The same for flows. It changes once, when both directions have begun to be seen: the answer to a packet that was
    /// stamped before may have passed unseen, so no flow of that time is found again.
    fn flow_seed(&self) -> u64;
    /// Slots of the table of tunnels, minus 1; a power of two of at least 2 slots.
    fn tunnel_mask(&self) -> u32;
    /// Buckets of the table of flows, minus 1; a power of two.
    fn flow_mask(&self) -> u32;
    /// Says whether events are limited in rate; a capture waits for its reader.
    fn limits_events(&self) -> bool;
    /// The totals of a device.
    fn totals(&mut self, device: u32) -> Option<&mut Totals>;
    /// The slot of the table of tunnels at an index, shared by all processors.
    fn tunnel(&mut self, slot: u32) -> Option<&mut Tunnel>;
    /// Takes a slot for good; says whether it was free.
    fn claim(&mut self, slot: u32) -> bool;
    /// This processor's counters of the tunnel in a slot.
    fn counters(&mut self, slot: u32) -> Option<&mut Counters>;
    /// The bucket of flows at an index, shared by all processors.
    fn flows(&mut self, bucket: u32) -> Option<&mut Bucket>;
    /// The word of first-fragment memory at an index, shared by all processors.
    fn fragment(&mut self, index: u32) -> Option<&mut u64>;
    /// What this processor's packet is to report.
    fn pending(&mut self) -> Option<&mut Pending>;
    /// Puts an event into the ring buffer; says whether there was room. `make` is called when there is.
    fn emit<E: Event>(&mut self, make: impl FnOnce() -> E) -> bool;
}

/// The step that follows a packet's step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// None: the packet is finished.
    Done,
    /// The packet goes the long way, from its beginning.
    Parse,
    /// [`crate::round_trip::round_trip`].
    RoundTrip,
    /// [`crate::report::report`].
    Report,
}

/// Returns the slot of `tunnel`, when it has one.
#[inline(always)]
pub(crate) fn find<T: Tables>(tables: &mut T, tunnel: &Tunnel, seed: u64) -> Option<u32> {
    let first = tunnel.slot(seed, tables.tunnel_mask());
    if tables.tunnel(first)?.is(tunnel) {
        return Some(first);
    }
    let second = first ^ 1;
    if tables.tunnel(second)?.is(tunnel) { Some(second) } else { None }
}

/// Returns the slot of `tunnel`, taking a free one for it when it has none.
///
/// Two processors that see a new tunnel at once both ask for the slot; the one that gets it writes the key. The
/// other finds the slot taken, so a few packets of a new tunnel can be counted as untracked.
#[inline(always)]
pub(crate) fn find_or_claim<T: Tables>(tables: &mut T, tunnel: &Tunnel) -> Option<u32> {
    let first = tunnel.slot(tables.seed(), tables.tunnel_mask());
    for way in 0..2 {
        let at = first ^ way;
        let slot = tables.tunnel(at)?;
        if slot.is(tunnel) {
            return Some(at);
        }
        // A tunnel takes the first free slot of its two, and none is ever given back: behind a free one it is not.
        if slot.is_free() {
            if !tables.claim(at) {
                return None;
            }
            tables.tunnel(at)?.occupy(tunnel);
            return Some(at);
        }
    }
    None
}
