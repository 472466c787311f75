//! What is kept of a packet that waits for its answer.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub(super) const CLOSED: u32 = 0;
pub(super) const TIMESTAMP: u32 = 1;
pub(super) const HANDSHAKE: u32 = 2;
pub(super) const ECHO: u32 = 3;
/// Of TCP, where no echo is: data is missing ([`crate::loss`]).
pub(super) const HOLE: u32 = 3;
const KIND: u32 = 3;
/// The bit that handshakes, echoes and holes have: what only the long way can go on with.
const RARE: u32 = 2;

/// Where the id begins, and the bits of length and kind before it.
const ID: u32 = 12;
const BELOW_ID: u32 = (1 << ID) - 1;

/// 32 bits of time, 20 bits of what the answer carries, 10 bits of the packet's length, 2 bits of method: one word, so
/// that one store is one update and a race between processors costs a sample, never a wrong one. Lengths are in steps of
/// 16 bytes, rounded down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Stamp(u64);

impl Stamp {
    #[inline(always)]
    pub(super) fn new(kind: u32, id: u32, length: u32, now: u32) -> Self {
        Self(u64::from(now) << 32 | u64::from(id << ID | length >> 2 & (BELOW_ID & !KIND) | kind))
    }

    /// A stamp that waits for nothing; it keeps the id, to know a repeated packet, and the time.
    #[inline(always)]
    pub(crate) fn closed(id: u32, now: u32) -> Self {
        Self::new(CLOSED, id, 0, now)
    }

    #[inline(always)]
    pub(super) fn close(self) -> Self {
        Self(self.0 & !u64::from(KIND))
    }

    #[inline(always)]
    pub(super) fn kind(self) -> u32 {
        self.0 as u32 & KIND
    }

    /// Data of which the first byte is missing since `now`; `id` is [`crate::loss`]'s.
    #[inline(always)]
    pub(crate) fn hole(id: u32, length: u32, now: u32) -> Self {
        Self::new(HOLE, id, length, now)
    }

    /// Says whether data is missing; of a flow of echoes, whether a request waits.
    #[inline(always)]
    pub(crate) fn is_hole(self) -> bool {
        self.kind() == HOLE
    }

    /// Says whether a SYN or SYN-ACK waits for this acknowledgment.
    #[inline(always)]
    pub(crate) fn is_handshake(self, acknowledgment: u32) -> bool {
        self.kind() == HANDSHAKE && self.distance(acknowledgment) == 0
    }

    /// Says whether nothing waits.
    #[inline(always)]
    pub(crate) fn is_closed(self) -> bool {
        self.kind() == CLOSED
    }

    /// Says whether data is missing, or waits that was sent before the segment with this TSval.
    #[inline(always)]
    pub(super) fn is_lost_by(self, tsval: u32) -> bool {
        self.is_hole() || (self.kind() == TIMESTAMP && self.distance(tsval) > 0)
    }

    /// Says whether a handshake or an echo waits, or data is missing.
    #[inline(always)]
    pub(crate) fn is_rare(self) -> bool {
        self.0 as u32 & RARE != 0
    }

    /// The id, when it is no number that wraps.
    #[inline(always)]
    pub(crate) fn id(self) -> u32 {
        self.0 as u32 >> ID
    }

    /// Outer IP length of the packet, rounded down to 16 bytes.
    #[inline(always)]
    pub(crate) fn length(self) -> u16 {
        ((self.0 as u32 & BELOW_ID & !KIND) << 2) as u16
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

    /// How far `id` is past the awaited one, in the arithmetic of 20-bit serial numbers; scaled, so only the sign
    /// and 0 mean something.
    #[inline(always)]
    pub(super) fn distance(self, id: u32) -> i32 {
        (id << ID).wrapping_sub(self.0 as u32 & !BELOW_ID) as i32
    }
}
