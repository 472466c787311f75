//! What is kept of a packet that waits for its answer.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub(super) const CLOSED: u32 = 0;
pub(super) const TIMESTAMP: u32 = 1;
pub(super) const HANDSHAKE: u32 = 2;
pub(super) const ECHO: u32 = 3;
const KIND: u32 = 3;

/// 32 bits of time, 30 bits of what the answer carries, 2 bits of method: one word, so that one store is one update
/// and a race between processors costs a sample, never a wrong one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Stamp(u64);

impl Stamp {
    #[inline(always)]
    pub(super) fn new(kind: u32, id: u32, now: u32) -> Self {
        Self(u64::from(now) << 32 | u64::from(id << 2 | kind))
    }

    /// A stamp that waits for nothing; it keeps the id, to know a repeated packet, and the time.
    #[inline(always)]
    pub(crate) fn closed(id: u32, now: u32) -> Self {
        Self::new(CLOSED, id, now)
    }

    #[inline(always)]
    pub(super) fn close(self) -> Self {
        Self(self.0 & !u64::from(KIND))
    }

    #[inline(always)]
    pub(super) fn kind(self) -> u32 {
        self.0 as u32 & KIND
    }

    #[inline(always)]
    pub(crate) fn time(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Says whether a TSval may be stamped in place of this one: it is another one where nothing waits, or one before the
    /// one that waits: a late packet, or a new connection whose answers would be waited for in vain.
    #[inline(always)]
    pub(super) fn is_free_for(self, tsval: u32) -> bool {
        let distance = self.distance(tsval);
        // Nearly always the same one again.
        distance != 0 && (self.kind() == CLOSED || (self.kind() == TIMESTAMP && distance < 0))
    }

    /// How far `id` is past the awaited one, in the arithmetic of 30-bit serial numbers; scaled, so only the sign
    /// and 0 mean something.
    #[inline(always)]
    pub(super) fn distance(self, id: u32) -> i32 {
        (id << 2).wrapping_sub(self.0 as u32 & !KIND) as i32
    }
}
