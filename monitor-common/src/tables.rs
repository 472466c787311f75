//! The memory of the pipeline as a trait: BPF maps in the kernel, vectors in user space.
//!
//! A look-up by index returns `None` only for an index past the table, which the masks rule out.

use crate::count::{Counters, Totals};
use crate::event::Event;
use crate::event::pending::Pending;
use crate::flow::Bucket;
use crate::histogram::{self, Histogram};
use crate::rtt::{Leg, Sample};
use crate::tunnel::Tunnel;
use crate::wire::geneve::Ports;

/// Settings and tables of one pipeline.
pub trait Tables {
    /// Where a tunnel's counters stand, once they have been looked up.
    type Place: Copy;

    /// UDP destination ports of the tunnels.
    fn ports(&self) -> Ports;
    /// The first of them, in network order.
    fn first_port(&self) -> u16;
    /// A random number that makes hashes unpredictable.
    fn seed(&self) -> u64;
    /// The same for flows. It changes once, when both directions have begun to be seen: the answer to a packet that was
    /// stamped before may have passed unseen, so no flow of that time is found again.
    fn flow_seed(&self) -> u64;
    /// Pairs of slots of the table of tunnels, minus 1; a power of two.
    fn pair_mask(&self) -> u32;
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
    /// Looks up this processor's counters of the tunnels in a pair of slots.
    fn places(&mut self, pair: u32) -> Option<[Self::Place; 2]>;
    /// The counters at a place; costs nothing.
    fn at(&mut self, place: Self::Place) -> &mut Counters;
    /// How many histograms a processor may issue.
    fn histograms(&self) -> u32;
    /// How many this processor has issued.
    fn issued(&mut self) -> Option<&mut u32>;
    /// This processor's histogram at an index.
    fn histogram(&mut self, index: u32) -> Option<&mut Histogram>;
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
    /// [`crate::fast::over_v6`].
    OverV6,
    /// The packet goes the long way, from its beginning.
    Parse,
    /// [`crate::loss::loss`].
    Loss,
    /// [`crate::round_trip::round_trip`].
    RoundTrip,
    /// [`crate::round_trip::matched`].
    Match,
    /// [`crate::report::flow`].
    ReportFlow,
    /// [`crate::report::report`].
    Report,
}

/// Returns the place of the counters of `tunnel`, when this processor has counted it before.
#[inline(always)]
pub(crate) fn find<T: Tables>(tables: &mut T, tunnel: &Tunnel) -> Option<T::Place> {
    let pair = tunnel.pair(tables.seed(), tables.pair_mask());
    let [first, second] = tables.places(pair)?;
    if tables.at(first).tunnel.is(tunnel) {
        return Some(first);
    }
    if tables.at(second).tunnel.is(tunnel) { Some(second) } else { None }
}

/// The place of the counters of the tunnel in a slot.
#[inline(always)]
pub(crate) fn place<T: Tables>(tables: &mut T, slot: u16) -> Option<T::Place> {
    let [first, second] = tables.places(u32::from(slot) >> 1)?;
    Some(if slot & 1 == 0 { first } else { second })
}

/// Returns the slot of `tunnel` and the place of its counters, taking a free slot for it when it has none.
#[inline(always)]
pub(crate) fn find_or_claim<T: Tables>(tables: &mut T, tunnel: &Tunnel) -> Option<(u16, T::Place)> {
    let slot = claim(tables, tunnel)? as u16;
    let place = place(tables, slot)?;
    let counters = tables.at(place);
    if !counters.tunnel.is_current(tunnel) {
        counters.tunnel.occupy(tunnel);
        counters.slot = slot;
    }
    Some((slot, place))
}

/// Two processors that see a new tunnel at once both ask for the slot; the one that gets it writes the key. The
/// other finds the slot taken, so a few packets of a new tunnel can be counted as untracked.
#[inline(always)]
fn claim<T: Tables>(tables: &mut T, tunnel: &Tunnel) -> Option<u32> {
    let pair = tunnel.pair(tables.seed(), tables.pair_mask());
    for at in [2 * pair, 2 * pair + 1] {
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

/// Counts a sample in a tunnel, and its time in the histogram of its leg and method. Returns whether there is one; else
/// nothing was counted.
#[inline(always)]
pub(crate) fn count<T: Tables>(tables: &mut T, place: T::Place, leg: Leg, sample: &Sample) -> bool {
    let index = *tables.at(place).histogram_mut(leg, sample.method);
    if index == histogram::NONE {
        return false;
    }
    if let Some(histogram) = tables.histogram(u32::from(index)) {
        histogram.count(sample.ticks);
    }
    tables.at(place).matched(leg, sample.method, sample.rtt_ns());
    true
}

/// The same, after a histogram has been issued where there was none.
#[inline(always)]
pub(crate) fn issue_and_count<T: Tables>(tables: &mut T, place: T::Place, leg: Leg, sample: &Sample) {
    if *tables.at(place).histogram_mut(leg, sample.method) == histogram::NONE {
        let index = issue(tables).unwrap_or(histogram::shared(leg, sample.method));
        *tables.at(place).histogram_mut(leg, sample.method) = index;
    }
    count(tables, place, leg, sample);
}

/// The next of this processor's histograms that belongs to nobody.
#[inline(always)]
fn issue<T: Tables>(tables: &mut T) -> Option<u16> {
    let most = tables.histograms();
    let issued = tables.issued()?;
    if *issued >= most {
        return None;
    }
    *issued += 1;
    Some((histogram::RESERVED + *issued - 1) as u16)
}
