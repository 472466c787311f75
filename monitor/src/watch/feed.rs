//! What the run gives to the server: answers to questions, and events as they come.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use monitor_common::event::{self, Any};
use monitor_common::tunnel::Tunnel;
use serde::Serialize;
use tokio::time::Instant;

use super::session::{Session, boot_time};
use super::watched::Watched;
use crate::bpf::Kernel;
use crate::counts::Counts;
use crate::export::json::{self, Record};
use crate::export::metrics::{DeviceMoment, Moment, Process, Room};
use crate::findings::Finding;
use crate::output::Printer;
use crate::serve::desk::{Counter, Health, Line, Question, Records, Summaries};
use crate::snapshot::{Place, Snapshot};

/// Events that are kept for those who ask later.
const KEPT: usize = 1024;
/// Questions share an answer so long, so that many of them cost no more than two in a second.
const GOOD: Duration = Duration::from_millis(500);

/// The run's side of the desk; without a server it does nothing.
pub(super) struct Feed {
    counter: Option<Counter>,
    pub(super) has_peer_buckets: bool,
    began: Timestamp,
    events: VecDeque<Kept>,
    moment: Held<Arc<Moment>>,
    summaries: Held<Summaries>,
    records: Held<Records>,
    intervals: Vec<Arc<Snapshot>>,
}

/// An answer, and when it was made.
type Held<T> = Option<(Instant, T)>;

/// The answer that is held, if it is good.
fn held<T: Clone>(held: &Held<T>) -> Option<T> {
    held.as_ref().filter(|(at, _)| at.elapsed() < GOOD).map(|(_, answer)| answer.clone())
}

/// An event that is kept as it came; of a drop with the device and place that it was told with.
enum Kept {
    Event(Any, Option<Tunnel>),
    Drop(event::Drop, String, IpAddr, Place),
}

impl Feed {
    pub(super) fn new(counter: Option<Counter>, has_peer_buckets: bool) -> Self {
        let began = Timestamp::now();
        let (events, intervals) = (VecDeque::new(), Vec::new());
        Self { counter, has_peer_buckets, began, events, moment: None, summaries: None, records: None, intervals }
    }

    /// The next question; without a server there is none, ever.
    pub(super) async fn question(&mut self) -> Question {
        if let Some(question) = match &mut self.counter {
            Some(counter) => counter.questions.recv().await,
            None => None,
        } {
            return question;
        }
        self.counter = None;
        std::future::pending().await
    }

    /// Whether somebody listens to events as they come.
    pub(super) fn has_listeners(&self) -> bool {
        self.counter.as_ref().is_some_and(|counter| counter.events.receiver_count() != 0)
    }

    /// Keeps an event for those who ask later.
    pub(super) fn keep(&mut self, event: &Any, tunnel: Option<&Tunnel>) {
        self.push(|| Kept::Event(*event, tunnel.copied()));
    }

    /// Keeps a drop of a packet from or to `peer`.
    pub(super) fn keep_drop(&mut self, drop: &event::Drop, device: &str, peer: IpAddr, place: &Place) {
        self.push(|| Kept::Drop(*drop, device.to_owned(), peer, place.clone()));
    }

    fn push(&mut self, kept: impl FnOnce() -> Kept) {
        if self.counter.is_none() {
            return;
        }
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.events.push_back(kept());
    }

    /// Sends a record to all who listen.
    pub(super) fn send<T: Serialize>(&self, schema: &'static str, at: Timestamp, body: T) {
        if let Some(counter) = self.counter.as_ref().filter(|_| self.has_listeners())
            && let Some(record) = record(schema, at, body)
        {
            // They may have gone meanwhile.
            let _ = counter.events.send(Line { schema, record });
        }
    }

    /// Takes the intervals that were just reported.
    pub(super) fn report(&mut self, intervals: Vec<Snapshot>) {
        if self.counter.is_some() {
            self.intervals = intervals.into_iter().map(Arc::new).collect();
        }
    }
}

/// Tells of an event those who listen, and prints it if that was asked for.
pub(super) fn tell(
    printer: &mut Printer,
    is_printed: bool,
    feed: &Feed,
    at: Timestamp,
    body: &json::Event<'_>,
) -> Result<()> {
    feed.send(json::EVENT, at, body);
    if is_printed { printer.record_at(json::EVENT, at, body) } else { Ok(()) }
}

fn record<T: Serialize>(schema: &str, at: Timestamp, body: T) -> Option<Arc<str>> {
    let record = Record { schema, ts: format!("{at:.9}"), body };
    serde_json::to_string(&record).ok().map(Into::into)
}

impl Session {
    /// Answers, unless nobody waits any more.
    pub(super) fn answer(&mut self, question: Question) -> Result<()> {
        match question {
            Question::Moment(answer) => drop(answer.send(self.moment()?)),
            Question::Intervals(answer) => drop(answer.send(self.feed.intervals.clone())),
            Question::Summaries(answer) => drop(answer.send(self.summaries()?)),
            Question::Findings(answer) => drop(answer.send(self.findings())),
            Question::Events(answer) => drop(answer.send(self.records())),
            Question::Health(answer) => drop(answer.send(self.health())),
        }
        Ok(())
    }

    /// The kept events as records, with the names as they are now; without those of a device that is watched no more.
    fn records(&mut self) -> Records {
        if let Some(records) = held(&self.feed.records) {
            return records;
        }
        let (boot, names) = (boot_time(), self.names.current());
        let at = |head: &event::Head| boot + SignedDuration::from_nanos(head.at_ns.cast_signed());
        let one = |kept: &Kept| match kept {
            Kept::Drop(drop, device, peer, place) => {
                record(json::EVENT, at(&drop.head), json::Event::drop(drop, device, *peer, place, &names))
            }
            Kept::Event(event, tunnel) => {
                let head = event.head();
                let device = self.devices.iter().find(|device| device.device.index == head.device)?;
                let body = json::Event::new(event, &device.device.name, tunnel.as_ref(), &names);
                record(json::EVENT, at(head), body)
            }
        };
        let records: Records = Arc::new(self.feed.events.iter().filter_map(one).collect());
        self.feed.records = Some((Instant::now(), records.clone()));
        records
    }

    fn health(&self) -> Health {
        let devices = self.devices.iter().map(|device| (device.device.name.clone(), device.attachment.is_some()));
        Health { devices: devices.collect(), age: self.started.elapsed(), names: self.names.current() }
    }

    fn findings(&self) -> Vec<Finding> {
        self.devices.iter().flat_map(|device| device.findings.all()).collect()
    }

    /// All counts until now, with histograms; sums are made of them.
    fn counts_until_now(&mut self) -> Result<Vec<Counts>> {
        let all = self.all_counts(Kernel::counts_with_histograms)?.into_iter().map(Counts::settled);
        let all: Vec<Counts> = all.collect();
        self.devices.iter_mut().zip(&all).for_each(|(device, counts)| device.aggregate.update(counts));
        Ok(all)
    }

    /// The whole run until now, of each device.
    fn summaries(&mut self) -> Result<Summaries> {
        if let Some(summaries) = held(&self.feed.summaries) {
            return Ok(summaries);
        }
        let (all, now, seconds) = (self.counts_until_now()?, Instant::now(), self.seconds());
        let (names, overhead) = (self.names.current(), Some(self.meter.so_far()));
        let one = |(device, counts): (&mut Watched, Counts)| {
            let snapshot = device.aggregate.so_far(&counts, &device.consumed, seconds);
            let blind_seconds = Some(device.blind.whole(now).as_secs_f64());
            (Snapshot { overhead, blind_seconds, ..snapshot }.named(&names), device.findings.all())
        };
        let summaries: Summaries = Arc::new(self.devices.iter_mut().zip(all).map(one).collect());
        self.feed.summaries = Some((now, summaries.clone()));
        Ok(summaries)
    }

    /// Everything that is exported, as of now or of a moment ago.
    fn moment(&mut self) -> Result<Arc<Moment>> {
        if let Some(moment) = held(&self.feed.moment) {
            return Ok(moment);
        }
        let now = Instant::now();
        let (all, seconds) = (self.counts_until_now()?, self.seconds());
        let (names, overhead) = (self.names.current(), Some(self.meter.so_far()));
        let room = Room {
            tunnels: all.iter().map(|counts| counts.tunnels.len()).sum(),
            tunnels_max: self.kernel.sizes.tunnels as usize,
            flows_max: self.kernel.sizes.buckets as usize * 2,
        };
        let mut devices = Vec::new();
        for (device, counts) in self.devices.iter_mut().zip(all) {
            let mut exposed = device.aggregate.exposed(&counts, &device.consumed, seconds);
            exposed.snapshot = Snapshot { overhead, ..exposed.snapshot }.named(&names);
            devices.push(DeviceMoment {
                exposed,
                hooks: device.attachment.as_ref().map(|attachment| [attachment.ingress, attachment.egress]),
                blind_seconds: device.blind.whole(now).as_secs_f64(),
                active: device.findings.active(),
                raised: device.findings.raised(),
            });
        }
        let moment = Arc::new(Moment {
            started: self.feed.began,
            devices,
            names,
            process: Process::now(),
            room,
            offset: boot_time(),
            gather_seconds: now.elapsed().as_secs_f64(),
            has_peer_buckets: self.feed.has_peer_buckets,
        });
        self.feed.moment = Some((now, moment.clone()));
        Ok(moment)
    }
}
