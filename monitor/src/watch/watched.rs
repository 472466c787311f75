//! A device that is watched: its programs, its sums, and the time in which nothing was seen of it.

use tokio::time::Instant;

use super::paths::Paths;
use super::roster::Known;
use crate::aggregate::{Aggregate, Limits};
use crate::bpf::Attachment;
use crate::clock;
use crate::counts::{ByKind, Counts};
use crate::device::{Device, Pattern};
use crate::findings::Findings;
use crate::netlink::Route;
use crate::strangers::Tracker;
use std::time::Duration;

/// One device.
pub(super) struct Watched {
    /// What asked for it.
    wanted: Pattern,
    /// Its programs, while they are attached.
    pub(super) attachment: Option<Attachment>,
    /// The device as last seen.
    pub(super) device: Device,
    /// Its sums.
    pub(super) aggregate: Aggregate,
    /// Its findings.
    pub(super) findings: Findings,
    /// Who sends and is unknown.
    pub(super) strangers: Tracker,
    /// When its peers' routes were asked for.
    pub(super) paths: Paths,
    /// What became of its events.
    pub(super) consumed: ByKind,
    /// The time without programs.
    pub(super) blind: Blind,
    /// Why nothing is attached, as it was told.
    pub(super) trouble: Option<String>,
}

impl Watched {
    /// A device that `wanted` asks for, with nothing attached so far.
    pub(super) fn new(wanted: Pattern, device: Device, limits: Limits) -> Self {
        let aggregate = Aggregate::new(&device.name, device.mtu, limits);
        let (consumed, blind) = (ByKind::default(), Blind::default());
        Self {
            wanted,
            attachment: None,
            device,
            aggregate,
            findings: Findings::default(),
            strangers: Tracker::default(),
            paths: Paths::default(),
            consumed,
            blind,
            trouble: None,
        }
    }

    /// It as it stands in the roster.
    pub(super) fn known(&self) -> Known<'_> {
        Known {
            wanted: &self.wanted,
            name: &self.device.name,
            index: self.device.index,
            mtu: self.device.mtu,
            is_attached: self.attachment.is_some(),
        }
    }

    /// The programs are attached to `attachment`'s device from now on.
    pub(super) fn attached(&mut self, attachment: Attachment, now: Instant) {
        self.blind.end(now);
        self.aggregate.was_blind(clock::since_boot_ns());
        self.trouble = None;
        self.seen(attachment.device.clone());
        self.attachment = Some(attachment);
    }

    /// Takes all counts so far, and asks for the routes of at most so many of its peers.
    pub(super) fn update(&mut self, counts: &Counts, route: &mut Route, now: Instant, most: usize) {
        self.aggregate.update(counts);
        self.paths.ask(route, &self.device, &mut self.aggregate, now, most);
    }

    /// The device is called and sized like this.
    pub(super) fn seen(&mut self, device: Device) {
        self.aggregate.describe(&device.name, device.mtu);
        self.paths.forget();
        self.device = device;
    }
}

/// The time in which a device was wanted and not watched.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Blind {
    since: Option<Instant>,
    before: Duration,
    reported: Duration,
}

impl Blind {
    /// Nothing is seen from now on.
    pub(super) fn begin(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// It is over.
    fn end(&mut self, now: Instant) {
        self.before = self.whole(now);
        self.since = None;
    }

    /// All of it so far.
    pub(super) fn whole(&self, now: Instant) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// What was added since the last call.
    pub(super) fn interval(&mut self, now: Instant) -> Duration {
        let whole = self.whole(now);
        let added = whole - self.reported;
        self.reported = whole;
        added
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blind_time_adds_up_over_intervals() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut blind = Blind::default();
        assert_eq!(blind.interval(at(1)), Duration::ZERO);
        blind.begin(at(2));
        blind.begin(at(3));
        assert_eq!(blind.interval(at(4)), Duration::from_secs(2));
        blind.end(at(5));
        assert_eq!((blind.interval(at(9)), blind.whole(at(9))), (Duration::from_secs(1), Duration::from_secs(3)));
        blind.begin(at(10));
        assert_eq!(blind.whole(at(14)), Duration::from_secs(7));
    }
}
