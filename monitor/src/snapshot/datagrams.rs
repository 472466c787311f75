//! Datagrams on the underlay that came in pieces.

use std::net::IpAddr;

use serde::Serialize;

/// Datagrams of tunnels that came in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagrams {
    /// Virtual network identifier; of a first fragment that does not say it, and of some that are alone, none.
    pub vni: Option<u32>,
    /// The other end.
    pub peer: IpAddr,
    /// This end.
    pub local: IpAddr,
    /// Whether they go to the peer; else they come from it.
    pub is_transmitted: bool,
    /// What became of them.
    pub pieces: Pieces,
}

/// What became of datagrams that came in pieces, as far as events tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pieces {
    /// Datagrams of which every byte came.
    pub complete_datagrams: u64,
    /// Datagrams of which a middle or the last piece never came: the least number.
    pub incomplete_datagrams: u64,
    /// Later fragments of datagrams that are known.
    pub later_fragments: u64,
    /// First fragments that came behind others of their datagram.
    pub late_first_fragments: u64,
    /// Those others: whose they are was known only then.
    pub late_attributed_fragments: u64,
    /// Fragments that repeat some bytes of a datagram and not others.
    pub overlapping_fragments: u64,
    /// Fragments that are shorter than any link asks for.
    pub tiny_fragments: u64,
    /// Packets cut on the underlay that are fragments inside the tunnel as well.
    pub double_fragmented: u64,
}

impl Pieces {
    /// Adds others.
    pub(crate) fn add(&mut self, other: &Self) {
        self.complete_datagrams += other.complete_datagrams;
        self.incomplete_datagrams += other.incomplete_datagrams;
        self.later_fragments += other.later_fragments;
        self.late_first_fragments += other.late_first_fragments;
        self.late_attributed_fragments += other.late_attributed_fragments;
        self.overlapping_fragments += other.overlapping_fragments;
        self.tiny_fragments += other.tiny_fragments;
        self.double_fragmented += other.double_fragmented;
    }
}
