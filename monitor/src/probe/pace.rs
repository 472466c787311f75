//! How fast answers may be asked for, so that the peer's limit on ICMP errors swallows none.
//!
//! Linux lets six errors go at once to one address, then one each `icmp_ratelimit`: 1 s for IPv4, 100 ms for IPv6 and a
//! quarter of it on a /64 (`inet_peer_xrlim_allow`). Echo replies and "fragmentation needed" have no limit. Whether the
//! six are still there is not known: another probe may just have used them. So they are trusted until something is not
//! answered.

use std::time::Duration;

/// Answers that the peer is trusted to give at once: one less than Linux does.
const BURST: f64 = 5.0;

/// The pace towards one peer.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// Time in which the peer gives one answer; zero: no limit.
    every: Duration,
    /// Answers that may be asked for at once.
    credit: f64,
    /// When the credit was reckoned.
    at: Duration,
    /// Whether the peer has answered everything so far.
    pub(super) is_trusted: bool,
}

impl Pace {
    /// One answer in this time, after a few at once.
    pub(super) fn new(every: Duration) -> Self {
        Self { every, credit: BURST, at: Duration::ZERO, is_trusted: true }
    }

    /// The silence after which any limit of this pace lets an answer go.
    pub(super) fn quiet(&self) -> Duration {
        self.every
    }

    /// When a packet may be sent that asks for an answer.
    pub(super) fn ready_at(&mut self, now: Duration) -> Duration {
        self.reckon(now);
        now + self.every.mul_f64((1.0 - self.credit).max(0.0))
    }

    /// An answer has come, which the peer has counted.
    pub(super) fn answered(&mut self, now: Duration) {
        self.reckon(now);
        self.credit -= 1.0;
    }

    /// An answer is missing that may have been swallowed: nothing is left of what the peer gives at once.
    pub(super) fn distrust(&mut self, now: Duration) {
        self.reckon(now);
        (self.credit, self.is_trusted) = (self.credit.min(0.0), false);
    }

    fn reckon(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at);
        self.at = now;
        self.credit = match self.every.is_zero() {
            true => BURST,
            false => (self.credit + passed.div_duration_f64(self.every)).min(BURST),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_answers_are_asked_for_at_once_and_then_one_a_second() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(second);
        let mut sent = Vec::new();
        let mut now = Duration::ZERO;
        for _ in 0..8 {
            now = pace.ready_at(now);
            sent.push(now.as_millis());
            pace.answered(now);
        }
        assert_eq!(sent, [0, 0, 0, 0, 0, 1000, 2000, 3000]);
        pace.distrust(now + 3 * second);
        assert_eq!(pace.ready_at(now + 3 * second), now + 4 * second);
        let mut pace = Pace::new(Duration::ZERO);
        (0..100).for_each(|_| pace.answered(Duration::ZERO));
        assert_eq!(pace.ready_at(second), second);
    }
}
