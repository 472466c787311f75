//! When to look at the ring buffers: soon again while events come, less often while none do.
//!
//! Nothing wakes the reader, so a look is a timer's, and a timer that finds nothing is all that an idle tunmon costs.

use std::time::Duration;

use tokio::time::Instant;

/// Between two looks while events come.
const SHORTEST: Duration = Duration::from_millis(20);
/// Between two looks while none come. The rings have room for what comes in this time: `monitor/src/bpf/rings.rs`.
const LONGEST: Duration = Duration::from_millis(80);

/// The time of the next look.
pub(super) struct Pace {
    wait: Duration,
    /// When to look next.
    pub(super) next: Instant,
}

impl Pace {
    /// The first look is now.
    pub(super) fn new(now: Instant) -> Self {
        Self { wait: SHORTEST, next: now }
    }

    /// There was a look just now, which found events or none.
    pub(super) fn looked(&mut self, now: Instant, has_found: bool) {
        self.wait = if has_found { SHORTEST } else { (self.wait * 2).min(LONGEST) };
        self.next = now + self.wait;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_slows_down_in_silence_and_is_back_at_once() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let mut waits = Vec::new();
        for has_found in [true, false, false, false, true, true] {
            pace.looked(now, has_found);
            waits.push((pace.next - now).as_millis());
        }
        assert_eq!(waits, [20, 40, 80, 80, 20, 20]);
    }
}
