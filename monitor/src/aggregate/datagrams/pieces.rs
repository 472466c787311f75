//! One datagram that comes in pieces.

use monitor_common::event::Fragment;

use super::Row;

/// Pieces of one datagram at most: of 64 KiB in the least that a link of IPv4 has to take, twice as many would be needed,
/// but nobody has such links.
const MOST: usize = 512;

/// Which bytes of its datagram a fragment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    start: u32,
    end: u32,
    is_last: bool,
}

/// What only a first fragment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    /// Length of the datagram; 0: not said.
    whole: u32,
    /// Tells first fragments of different packets from duplicates.
    pub(super) content: u32,
}

/// How a piece and a datagram agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It may be a part of it.
    Part,
    /// Some of its bytes are there already, and others are not.
    Overlap,
    /// It is another one's, or a duplicate.
    None,
}

/// A datagram of which not all pieces have come.
#[derive(Clone, Debug)]
pub(super) struct Datagram {
    pub(super) serial: u64,
    pub(super) opened_ns: u64,
    /// Whose it is, once that is known.
    pub(super) row: Option<Row>,
    pub(super) first: Option<First>,
    /// Pieces that came before the first one, and whose tunnel the kernel did not know.
    pub(super) orphans: u64,
    /// The datagram that it overlaps, by whose that is.
    pub(super) overlaps: Option<Row>,
    pieces: Vec<Piece>,
}

impl Piece {
    pub(super) fn of(fragment: &Fragment) -> Self {
        let start = u32::from(fragment.offset);
        Self { start, end: start + u32::from(fragment.payload), is_last: fragment.more == 0 }
    }

    fn meets(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

impl First {
    pub(super) fn of(fragment: &Fragment) -> Option<Self> {
        (fragment.offset == 0).then_some(Self { whole: fragment.whole.into(), content: fragment.content })
    }
}

impl Datagram {
    pub(super) fn new(serial: u64, opened_ns: u64, overlaps: Option<Row>) -> Self {
        Self { serial, opened_ns, row: None, first: None, orphans: 0, overlaps, pieces: Vec::new() }
    }

    /// How a piece, and what it says when it is the first, agree with what is there.
    pub(super) fn fit(&self, piece: Piece, first: Option<First>) -> Fit {
        if let Some(met) = self.pieces.iter().find(|other| other.meets(piece)) {
            let is_like = met.start == piece.start && (met.end == piece.end || first.is_some());
            return if is_like { Fit::None } else { Fit::Overlap };
        }
        let whole = self.first.or(first).map_or(0, |first| first.whole);
        let mut pieces = self.pieces.iter().chain([&piece]);
        let end = if whole != 0 {
            whole
        } else {
            pieces.clone().find(|piece| piece.is_last).map_or(u32::MAX, |last| last.end)
        };
        let is_part = pieces.all(|piece| piece.end <= end && (!piece.is_last || piece.end == end));
        if is_part && self.pieces.len() < MOST { Fit::Part } else { Fit::None }
    }

    /// Takes a piece that fits.
    pub(super) fn add(&mut self, piece: Piece, first: Option<First>) {
        self.pieces.push(piece);
        self.first = self.first.or(first);
    }

    /// Says whether every byte has come: pieces that fit do not overlap.
    pub(super) fn is_complete(&self) -> bool {
        let bytes: u32 = self.pieces.iter().map(|piece| piece.end - piece.start).sum();
        self.first.is_some() && self.pieces.iter().any(|piece| piece.is_last && piece.end == bytes)
    }

    pub(super) fn pieces(&self) -> u64 {
        self.pieces.len() as u64
    }
}
