//! The ring buffer's reader.

use aya::maps::{MapData, RingBuf};
use monitor_common::event::Any;

/// Records that one look at the ring takes at most, so that a flood cannot hold up everything else.
const BATCH: usize = 65_536;

/// Reads events in the order in which they were submitted.
pub struct Events {
    ring: RingBuf<MapData>,
    /// Records that were none of ours, so far; what was handed on is for its taker to count.
    pub decode_errors: u64,
}

impl Events {
    /// A reader of `ring`.
    pub fn new(ring: RingBuf<MapData>) -> Self {
        Self { ring, decode_errors: 0 }
    }

    /// Hands every event that is there to `deliver`.
    pub fn drain(&mut self, mut deliver: impl FnMut(&Any)) {
        for _ in 0..BATCH {
            let Some(item) = self.ring.next() else { return };
            match Any::read(&item) {
                Some(event) => deliver(&event),
                None => self.decode_errors += 1,
            }
        }
    }
}
