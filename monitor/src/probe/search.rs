//! The search for the largest packet that one flow's path takes, without time and without packets: sizes out, answers in.
//!
//! An answer proves that a size passes. Silence proves nothing by itself: the answer may have been lost, or held back by
//! a limit on ICMP errors. So what passes not is a suspicion while the search goes down, and is believed at its end only:
//! the next smaller size passes, this one does not in any of its tries, the smaller one passes again (RFC 8899 §5.1.2
//! for the tries). If the suspicion was wrong the search goes on upwards.

/// Sizes are outer IP packet lengths in bytes, headers included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// What any path is expected to take.
    pub(super) base: u32,
    /// The largest that is of interest.
    pub(super) max: u32,
}

/// Tries of a size before it is judged not to pass (MAX_PROBES, RFC 8899 §5.1.2).
const TRIES: u32 = 3;
/// The same on a path that has lost what passes.
const TRIES_OF_LOSSY: u32 = 6;
/// Times that a smaller size may fail beside a larger one, or pass late only, before the flow is given up.
const DISTURBANCES: u32 = 5;
/// MTUs of routers that are followed; behind them the search goes by halves, so that a liar cannot lead it step by step.
const HINTS: u32 = 4;
/// Path MTUs that tunnels, providers and cards make; looked for first.
const USUAL: [u32; 24] = [
    1280, 1300, 1350, 1358, 1380, 1392, 1400, 1410, 1420, 1430, 1440, 1450, 1454, 1460, 1476, 1480, 1492, 1500, 2000,
    4000, 8500, 8951, 9000, 9198,
];

/// How a search has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The largest size passes.
    Whole,
    /// The path takes less; the next larger size is proven not to pass.
    Smaller,
    /// Not even the base size is answered.
    Silent,
    /// Answers come and go, whatever the size.
    Unsteady,
}

/// How far the proof is that the size above does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    Open,
    /// The smaller size has just passed.
    Below,
    /// And then the larger one has not.
    Above,
}

/// One flow's search.
#[derive(Clone, Debug)]
pub(super) struct Search {
    sizes: Sizes,
    /// The largest size that passes.
    passes: Option<u32>,
    /// The smallest that seems not to; above the largest if none does.
    fails: u32,
    /// Whether a router has said so.
    is_refused: bool,
    proof: Proof,
    /// Sizes to be tried before all others, from the last on.
    wishes: Vec<u32>,
    /// Tries of passing sizes that were not answered.
    pub(super) lost: u32,
    disturbances: u32,
    hints: u32,
    end: Option<End>,
}

impl Search {
    /// A search that tries `guess` first, what another flow's path takes.
    pub(super) fn new(sizes: Sizes, guess: Option<u32>) -> Self {
        let (passes, fails) = (None, sizes.max + 1);
        let (is_refused, proof, lost, disturbances, hints) = (false, Proof::Open, 0, 0, 0);
        let wishes = guess.map(|guess| vec![guess + 1, guess]).unwrap_or_default();
        Self { sizes, passes, fails, is_refused, proof, wishes, lost, disturbances, hints, end: None }
    }

    /// Whether nothing is known and nothing wished for.
    pub(super) fn is_fresh(&self) -> bool {
        self.passes.is_none() && self.fails > self.sizes.max && self.wishes.is_empty() && self.end.is_none()
    }

    /// The largest size that passes, if any does.
    pub(super) fn passes(&self) -> Option<u32> {
        self.passes
    }

    /// The smallest size that does not pass; a suspicion before the end.
    pub(super) fn fails(&self) -> Option<u32> {
        (self.fails <= self.sizes.max).then_some(self.fails)
    }

    /// How it has ended.
    pub(super) fn end(&self) -> Option<End> {
        self.end
    }

    /// Tries that a size has before it is judged.
    pub(super) fn tries(&self) -> u32 {
        if self.lost == 0 { TRIES } else { TRIES_OF_LOSSY }
    }

    /// Whether a judgement hangs on this size, so that nothing but the size may explain its silence.
    pub(super) fn hangs_on(&self, size: u32) -> bool {
        self.passes.is_none_or(|passes| size <= passes + 1)
    }

    /// The size to be tried next; none at the end.
    pub(super) fn next(&mut self) -> Option<u32> {
        if self.end.is_some() {
            return None;
        }
        let (passes, fails) = (self.passes.unwrap_or(0), self.fails);
        self.wishes.retain(|wish| passes < *wish && *wish < fails);
        if let Some(wish) = self.wishes.last() {
            return Some(*wish);
        }
        if self.passes.is_none() {
            return Some(self.sizes.base);
        }
        if fails > self.sizes.max {
            return Some(self.sizes.max);
        }
        if passes + 1 == fails {
            return Some(if self.proof == Proof::Below { fails } else { passes });
        }
        Some(between(passes, fails))
    }

    /// The size that was tried is answered, after this many tries without an answer.
    pub(super) fn passed(&mut self, size: u32, lost: u32) {
        self.lost += lost;
        self.learned(size);
        if self.passes != Some(size) || self.end.is_some() {
            return;
        }
        match self.proof {
            Proof::Above if size + 1 == self.fails && lost == 0 => self.end = Some(End::Smaller),
            // Answered late in its tries: what swallowed the first of them may have swallowed the larger ones.
            Proof::Above => {
                self.proof = Proof::Below;
                self.disturbed();
            }
            Proof::Open | Proof::Below => self.proof = Proof::Below,
        }
        self.settle();
    }

    /// A size passes, by an answer that comes late and so proves nothing of the others.
    pub(super) fn learned(&mut self, size: u32) {
        if size >= self.fails {
            (self.fails, self.is_refused, self.proof) = (self.sizes.max + 1, false, Proof::Open);
        }
        if self.passes.is_none_or(|passes| size > passes) {
            (self.passes, self.proof) = (Some(size), Proof::Open);
        }
        match size == self.sizes.max {
            true => self.end = Some(End::Whole),
            // It was no end, if what was to be larger than the path takes passes.
            false if self.end == Some(End::Smaller) && self.fails > self.sizes.max => self.end = None,
            false if self.end == Some(End::Silent) => self.end = None,
            false => {}
        }
    }

    /// The size that was tried is not answered in any of its tries.
    pub(super) fn failed(&mut self, size: u32) {
        if self.passes.is_some_and(|passes| size <= passes) {
            self.lost += self.tries();
            self.proof = Proof::Open;
            self.disturbed();
        } else if size == self.sizes.base {
            self.end = Some(End::Silent);
        } else {
            let is_just_above = self.proof == Proof::Below && self.passes == Some(size - 1);
            self.proof = if is_just_above { Proof::Above } else { Proof::Open };
            (self.fails, self.is_refused) = (size, false);
        }
    }

    fn disturbed(&mut self) {
        self.disturbances += 1;
        if self.disturbances == DISTURBANCES {
            self.end = Some(End::Unsteady);
        }
    }

    /// A router has refused the size, and may name an MTU, which is tried next if it makes sense.
    pub(super) fn refused(&mut self, size: u32, mtu: u32) {
        if self.passes.is_some_and(|passes| size <= passes) {
            return;
        }
        if size == self.sizes.base {
            self.end = Some(End::Silent);
        }
        (self.fails, self.is_refused, self.proof) = (size, true, Proof::Open);
        if mtu >= self.sizes.base && self.hints < HINTS {
            self.hints += 1;
            self.wishes = vec![mtu + 1, mtu];
        }
        self.settle();
    }

    /// Ends the search where a router's word stands for the proof.
    fn settle(&mut self) {
        if self.is_refused && self.end.is_none() && self.passes.is_some_and(|passes| passes + 1 == self.fails) {
            self.end = Some(End::Smaller);
        }
    }
}

/// A size between one that passes and one that does not, at least 2 apart: a usual one, the edge of one, or the middle.
fn between(passes: u32, fails: u32) -> u32 {
    let inside: Vec<u32> = USUAL.into_iter().filter(|usual| passes < *usual && *usual < fails).collect();
    match inside.get(inside.len() / 2) {
        Some(usual) => *usual,
        None if USUAL.contains(&passes) => passes + 1,
        None => passes.midpoint(fails),
    }
}
