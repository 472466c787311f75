//! Shows sequences of frames to both sides and sums up what was proven by them.

use monitor_common::count::Totals;
use monitor_common::rtt::{LEGS, METHODS};

use super::pair::{Answer, Pair, Settings};
use super::step::Step;

/// Frames between two comparisons of the counts.
const CHUNK: usize = 500;

/// What was shown, with equal answers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Proof {
    pub(super) frames: usize,
    /// Of these, by the long way.
    pub(super) long_way: usize,
    /// Events with equal contents.
    pub(super) events: usize,
    pub(super) pairs: usize,
    /// Sums over all pairs.
    pub(super) totals: Totals,
    pub(super) matches: [[u64; METHODS]; LEGS],
}

impl Proof {
    /// Shows `steps` in order to one pair, or to as many as it takes where the machine is slow.
    pub(super) fn prove(&mut self, name: &str, settings: Settings, steps: &[Step]) {
        let mut pair = Pair::new(settings);
        for (number, chunk) in steps.chunks(CHUNK).enumerate() {
            if pair.is_old() {
                self.close(&pair);
                pair = Pair::new(settings);
            }
            let name = format!("{name}, {settings:?}, frames from {}", number * CHUNK);
            while !self.prove_chunk(&name, &mut pair, chunk) {
                pair = Pair::new(settings);
            }
        }
        self.close(&pair);
    }

    /// Returns whether the machine was fast enough.
    fn prove_chunk(&mut self, name: &str, pair: &mut Pair, steps: &[Step]) -> bool {
        let (mut long_way, mut all_events) = (0, 0);
        for step in steps {
            match pair.show(step) {
                Ok(Answer::Same { events, went_the_long_way }) => {
                    (long_way, all_events) = (long_way + usize::from(went_the_long_way), all_events + events);
                }
                Ok(Answer::Late) => return false,
                Err(difference) => {
                    panic!("{name}: {difference}\n  {:?} {:?}\n  {:02x?}", step.program, step.segments, step.bytes)
                }
            }
        }
        if let Err(difference) = pair.compare_counts() {
            panic!("{name}: {difference}");
        }
        self.frames += steps.len();
        (self.long_way, self.events) = (self.long_way + long_way, self.events + all_events);
        true
    }

    /// Adds what a pair counted; both of its sides counted the same.
    fn close(&mut self, pair: &Pair) {
        let counts = pair.kernel_counts();
        self.pairs += 1;
        self.totals.merge(&counts.totals);
        for tunnel in counts.tunnels {
            for (sum, matches) in self.matches.as_flattened_mut().iter_mut().zip(tunnel.counters.matches.as_flattened())
            {
                *sum += matches.count;
            }
        }
    }
}
