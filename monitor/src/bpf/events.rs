//! The ring buffer's reader.

use aya::maps::{MapData, RingBuf};
use monitor_common::event::Any;

use crate::counts::Consumed;

/// Records that one look at the ring takes at most, so that a flood cannot hold up everything else.
const BATCH: usize = 65_536;

/// Reads events in the order in which they were submitted.
pub struct Events {
    ring: RingBuf<MapData>,
    /// Their count.
    pub consumed: Consumed,
}

impl Events {
    /// A reader of `ring`.
    pub fn new(ring: RingBuf<MapData>) -> Self {
        Self { ring, consumed: Consumed::default() }
    }

    /// Hands every event that is there to `deliver`.
    pub fn drain(&mut self, mut deliver: impl FnMut(&Any)) {
        for _ in 0..BATCH {
            let Some(item) = self.ring.next() else { return };
            self.consumed.consumed += 1;
            match Any::read(&item) {
                Some(event) => {
                    self.consumed.delivered += 1;
                    deliver(&event);
                }
                None => self.consumed.decode_errors += 1,
            }
        }
    }
}
