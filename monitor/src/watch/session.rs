//! One run of watching: an event loop over timers, signals and what becomes of the devices.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use monitor_common::event::{Any, KINDS};
use monitor_common::frame::UNTRACKED;
use monitor_common::tunnel::Tunnel;
use tokio::time::{Instant, MissedTickBehavior, sleep_until};

use super::drops;
use super::feed::{Feed, tell};
use super::host;
use super::life::Life;
use super::notify::{Notifier, status};
use super::overhead::Meter;
use super::pace::Pace;
use super::paths::BATCH;
use super::resume::resume;
use super::signals::Signals;
use super::sources::Sources;
use super::watched::Watched;
use crate::bpf::events::Events;
use crate::bpf::{Attachment, Kernel};
use crate::cli::Common;
use crate::clock;
use crate::counts::Counts;
use crate::export::json;
use crate::failure::Failure;
use crate::names::Names;
use crate::output::Printer;
use crate::snapshot::Snapshot;
use crate::sniff::Sniffer;
use crate::strangers;

/// Everything that one run holds.
pub(super) struct Session {
    pub(super) kernel: Kernel,
    events: Events,
    pub(super) tunnels: HashMap<u16, Tunnel>,
    pub(super) devices: Vec<Watched>,
    pub(super) life: Life,
    pub(super) port: u16,
    prints_events: bool,
    pub(super) started: Instant,
    reported: Instant,
    /// The time in which an earlier run counted, and counts went on without one.
    pub(super) before: Duration,
    /// Records of an earlier run that are still in the rings; they are counted as read.
    backlog: [u64; KINDS],
    pub(super) sniffer: Option<Sniffer>,
    pub(super) meter: Meter,
    drops: drops::Names,
    pub(super) names: Names,
    sources: Sources,
    host: host::Counters,
    pub(super) feed: Feed,
    notifier: Notifier,
}

impl Session {
    /// A run over `devices`; `sniffer` hears where there is traffic when they have none, `drops` tell where drops are.
    pub(super) fn new(
        mut kernel: Kernel,
        mut devices: Vec<Watched>,
        mut life: Life,
        (sniffer, drops): (Option<Sniffer>, drops::Names),
        (names, feed): (Names, Feed),
        options: &Common,
    ) -> Result<Self> {
        let (backlog, before) = resume(&kernel, &mut devices)?;
        let events = kernel.take_events()?;
        let port = options.ports.first().copied().unwrap_or_default();
        let (now, meter) = (std::time::Instant::now().into(), Meter::new(&kernel)?);
        let (tunnels, prints_events) = (HashMap::new(), options.events);
        let host = host::Counters::new(&mut life.route);
        Ok(Self {
            kernel,
            events,
            tunnels,
            devices,
            life,
            port,
            prints_events,
            started: now,
            reported: now,
            before,
            backlog,
            sniffer,
            meter,
            drops,
            names,
            sources: Sources::default(),
            host,
            feed,
            notifier: Notifier::new(),
        })
    }

    /// Watches until the time is up or a signal comes; then detaches and sums up.
    pub(super) async fn run(mut self, mut signals: Signals, options: &Common, printer: &mut Printer) -> Result<()> {
        let mut pace = Pace::new(self.started);
        let mut report = tokio::time::interval_at(self.started + options.interval, options.interval);
        report.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let end = self.started + options.duration.unwrap_or(Duration::from_secs(u32::MAX.into()));
        let (listen, hint) = (self.started + Duration::from_secs(1), self.started + Duration::from_secs(2));
        let (mut is_listening, mut is_hinted, mut is_over) = (false, false, false);
        while !is_over {
            tokio::select! {
                () = sleep_until(pace.next) => {
                    let has_found = self.drain(printer)?;
                    pace.looked(Instant::now(), has_found);
                }
                _ = report.tick() => self.report(true, printer)?,
                result = self.life.is_due() => {
                    result?;
                    is_over = self.look(printer)?;
                }
                () = sleep_until(listen), if !is_listening => {
                    is_listening = true;
                    self.listen()?;
                }
                () = sleep_until(hint), if !is_hinted => {
                    is_hinted = true;
                    self.hint()?;
                }
                question = self.feed.question() => self.answer(question)?,
                () = self.notifier.is_due() => self.notifier.alive(),
                () = sleep_until(end) => break,
                () = signals.received() => break,
            }
        }
        self.finish(printer).await?;
        if is_over {
            Err(Failure::runtime("a watched device is gone", "--exit-on-loss ends the run then").into())
        } else {
            Ok(())
        }
    }

    /// Takes all events that are there; says whether there were any.
    pub(super) fn drain(&mut self, printer: &mut Printer) -> Result<bool> {
        let Self { kernel, events, tunnels, devices, prints_events: is_printed, backlog, drops, names, feed, .. } =
            self;
        let known = names.current();
        let is_printed = *is_printed;
        let is_told = is_printed || feed.has_listeners();
        kernel.log();
        let offset = boot_time();
        let mut result = Ok(());
        let taken = events.drain(|event| {
            let head = event.head();
            let Some(number) = devices.iter().position(|device| device.device.index == head.device) else { return };
            let device = &mut devices[number];
            match &mut backlog[usize::from(head.kind)] {
                0 => device.consumed[usize::from(head.kind)].deliver(),
                left => *left -= 1,
            }
            let at = || offset + SignedDuration::from_nanos(head.at_ns.cast_signed());
            if let Any::Drop(drop) = event {
                let (device, peer, place) = drops.take(devices, number, drop);
                feed.keep_drop(drop, device, peer, &place);
                if is_told && result.is_ok() {
                    let body = json::Event::drop(drop, device, peer, &place, &known);
                    result = tell(printer, is_printed, feed, at(), &body);
                }
                return;
            }
            let tunnel = if head.tunnel == UNTRACKED { None } else { resolve(kernel, tunnels, head.tunnel) };
            device.aggregate.record(event, tunnel.as_ref());
            if let Any::IcmpError(error) = event {
                device.paths.doubt(error.destination.ip());
            }
            feed.keep(event, tunnel.as_ref());
            if is_told && result.is_ok() {
                let body = json::Event::new(event, &device.device.name, tunnel.as_ref(), &known);
                result = tell(printer, is_printed, feed, at(), &body);
            }
        });
        // A record that is none of ours names no device; it is the first one's.
        if let Some(first) = devices.first_mut() {
            first.consumed.iter_mut().zip(events.decode_errors).for_each(|(consumed, errors)| consumed.reject(errors));
        }
        result.map(|()| taken != 0)
    }

    /// Ends an interval: judges it, and tells of it unless it is only the rest of one.
    fn report(&mut self, is_told: bool, printer: &mut Printer) -> Result<()> {
        let now = Instant::now();
        let seconds = (now - self.reported).as_secs_f64();
        self.reported = now;
        // What is judged as missing until now must not wait in a ring.
        let now_ns = clock::since_boot_ns();
        self.drain(printer)?;
        let all = self.all_counts(Kernel::counts)?;
        let overhead = self.meter.interval(&self.kernel, seen(&all))?;
        let host = self.host.interval(&mut self.life.route);
        let (names, mut intervals) = (self.names.current(), Vec::new());
        self.sources.tell(&names, printer)?;
        for (device, counts) in self.devices.iter_mut().zip(all) {
            let counts = counts.settled();
            device.aggregate.is_now(now_ns);
            device.update(&counts, &mut self.life.route, now, BATCH);
            let mut snapshot = device.aggregate.interval(&counts, &device.consumed, seconds);
            (snapshot.evidence.host, snapshot.evidence.is_here) = (Some(host), true);
            snapshot.evidence.is_merged = device.attachment.as_ref().is_some_and(Attachment::is_merged);
            let blind_seconds = Some(device.blind.interval(now).as_secs_f64());
            let mut snapshot = Snapshot { overhead: Some(overhead), blind_seconds, ..snapshot }.named(&names);
            let age = now - self.started;
            device.strangers.judge(&mut snapshot, strangers::GRACE, age, Timestamp::now());
            if is_told {
                printer.interval(&snapshot)?;
            }
            let told = device.findings.judge(&snapshot, age);
            for finding in &told {
                self.feed.send(json::FINDING, Timestamp::now(), finding);
                printer.finding(finding)?;
            }
            intervals.push(snapshot);
        }
        self.notifier.status(|| status(&self.devices, &intervals));
        self.feed.report(intervals);
        Ok(())
    }

    /// The counts of all devices, as `read` has them.
    pub(super) fn all_counts(&self, read: impl Fn(&Kernel, u32) -> Result<Counts>) -> Result<Vec<Counts>> {
        self.devices.iter().map(|device| read(&self.kernel, device.device.index)).collect()
    }

    /// Detaches, reads what is left, and sums up.
    async fn finish(&mut self, printer: &mut Printer) -> Result<()> {
        let ended = Instant::now();
        self.notifier.stopping();
        super::detach(self.devices.iter_mut().filter_map(|device| device.attachment.take()).collect());
        self.drops.stop();
        let seconds = self.seconds();
        let patience = Instant::now() + Duration::from_secs(1);
        loop {
            self.drain(printer)?;
            // What is pinned goes on submitting.
            if self.kernel.is_pinned() || self.is_drained()? || Instant::now() > patience {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.report(false, printer)?;
        let all = self.all_counts(Kernel::counts_with_histograms)?;
        let overhead = self.meter.whole(&self.kernel, seen(&all))?;
        let (names, mut snapshots) = (self.names.current(), Vec::new());
        for (device, counts) in self.devices.iter_mut().zip(all) {
            device.paths.forget();
            device.update(&counts, &mut self.life.route, ended, usize::MAX);
            let snapshot = device.aggregate.whole(&counts, &device.consumed, seconds);
            let blind_seconds = Some(device.blind.whole(ended).as_secs_f64());
            let snapshot = Snapshot { overhead: Some(overhead), blind_seconds, ..snapshot }.named(&names);
            printer.summary(&snapshot, &device.findings.all())?;
            snapshots.push(snapshot);
        }
        self.tell_unseen(&snapshots, printer)?;
        printer.overhead(&overhead)
    }

    /// Says whether every event that was submitted has been read.
    fn is_drained(&self) -> Result<bool> {
        for device in &self.devices {
            let totals = self.kernel.totals(device.device.index)?;
            let mut kinds = totals.events.iter().zip(&device.consumed);
            if kinds.any(|(outcome, consumed)| outcome.submitted != consumed.consumed) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Packets that all devices have seen.
fn seen(all: &[Counts]) -> u64 {
    all.iter().flat_map(|counts| counts.totals.classes.as_flattened()).sum()
}

/// The tunnel in a slot, asked from the kernel once: a slot keeps its tunnel.
fn resolve(kernel: &Kernel, tunnels: &mut HashMap<u16, Tunnel>, slot: u16) -> Option<Tunnel> {
    if let Some(tunnel) = tunnels.get(&slot) {
        return Some(*tunnel);
    }
    let tunnel = kernel.tunnel(slot)?;
    tunnels.insert(slot, tunnel);
    Some(tunnel)
}

/// When the machine was booted, by the two clocks as they stand now.
pub(super) fn boot_time() -> Timestamp {
    Timestamp::now() - clock::since_boot()
}
