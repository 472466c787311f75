//! One run of watching: an event loop over timers and signals.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use monitor_common::event::Any;
use monitor_common::frame::UNTRACKED;
use monitor_common::tunnel::Tunnel;
use tokio::time::{Instant, MissedTickBehavior, sleep_until};

use super::overhead::Meter;
use super::pace::Pace;
use super::signals::Signals;
use crate::aggregate::{Aggregate, Limits};
use crate::bpf::events::Events;
use crate::bpf::{Attachment, Kernel};
use crate::cli::Common;
use crate::counts::ByKind;
use crate::device;
use crate::export::json;
use crate::output::Printer;
use crate::snapshot::Snapshot;
use crate::sniff::Sniffer;
use crate::ui;

/// Everything that one run holds.
pub(super) struct Session {
    kernel: Kernel,
    events: Events,
    tunnels: HashMap<u16, Tunnel>,
    devices: Vec<Watched>,
    port: u16,
    started: Instant,
    reported: Instant,
    sniffer: Option<Sniffer>,
    meter: Meter,
}

struct Watched {
    attachment: Option<Attachment>,
    name: String,
    index: u32,
    is_gone: bool,
    aggregate: Aggregate,
    consumed: ByKind,
}

impl Session {
    /// A run over `attachments`.
    pub(super) fn new(mut kernel: Kernel, attachments: Vec<Attachment>, options: &Common) -> Result<Self> {
        let limits = Limits { max_vnis: options.max_vnis as usize, max_peers: options.max_peers as usize };
        let watched = |attachment: Attachment| Watched {
            name: attachment.device.name.clone(),
            index: attachment.device.index,
            is_gone: false,
            aggregate: Aggregate::new(&attachment.device.name, attachment.device.mtu, limits),
            consumed: ByKind::default(),
            attachment: Some(attachment),
        };
        let events = kernel.take_events()?;
        let devices = attachments.into_iter().map(watched).collect();
        let port = options.ports.first().copied().unwrap_or_default();
        let (now, meter) = (std::time::Instant::now().into(), Meter::new(&kernel)?);
        let (tunnels, sniffer) = (HashMap::new(), None);
        Ok(Self { kernel, events, tunnels, devices, port, started: now, reported: now, sniffer, meter })
    }

    /// Watches until the time is up or a signal comes; then detaches and sums up.
    pub(super) async fn run(mut self, mut signals: Signals, options: &Common, printer: &mut Printer) -> Result<()> {
        let mut pace = Pace::new(self.started);
        let mut report = tokio::time::interval_at(self.started + options.interval, options.interval);
        report.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let end = self.started + options.duration.unwrap_or(Duration::from_secs(u32::MAX.into()));
        let (listen, hint) = (self.started + Duration::from_secs(1), self.started + Duration::from_secs(2));
        let (mut is_listening, mut is_hinted) = (false, false);
        loop {
            tokio::select! {
                () = sleep_until(pace.next) => {
                    let has_found = self.drain(options.events, printer)?;
                    pace.looked(Instant::now(), has_found);
                }
                _ = report.tick() => self.report(printer)?,
                () = sleep_until(listen), if !is_listening => {
                    is_listening = true;
                    self.listen()?;
                }
                () = sleep_until(hint), if !is_hinted => {
                    is_hinted = true;
                    self.hint()?;
                }
                () = sleep_until(end) => break,
                () = signals.received() => break,
            }
        }
        self.finish(options, printer).await
    }

    /// Takes all events that are there; says whether there were any.
    fn drain(&mut self, is_printed: bool, printer: &mut Printer) -> Result<bool> {
        let Self { kernel, events, tunnels, devices, .. } = self;
        kernel.log();
        let offset = if is_printed { boot_time() } else { Timestamp::UNIX_EPOCH };
        let mut result = Ok(());
        let taken = events.drain(|event| {
            let head = event.head();
            let Some(device) = devices.iter_mut().find(|device| device.index == head.device) else { return };
            device.consumed[usize::from(head.kind)].deliver();
            let tunnel = if head.tunnel == UNTRACKED { None } else { resolve(kernel, tunnels, head.tunnel) };
            if let (Any::Rtt(sample), Some(tunnel)) = (event, &tunnel) {
                device.aggregate.record(sample, tunnel);
            }
            if is_printed && result.is_ok() {
                let at = offset + SignedDuration::from_nanos(head.at_ns.cast_signed());
                let body = json::Event::new(event, &device.name, tunnel.as_ref());
                result = printer.record_at(json::EVENT, at, body);
            }
        });
        // A record that is none of ours names no device; it is the first one's.
        if let Some(first) = devices.first_mut() {
            first.consumed.iter_mut().zip(events.decode_errors).for_each(|(consumed, errors)| consumed.reject(errors));
        }
        result.map(|()| taken != 0)
    }

    fn report(&mut self, printer: &mut Printer) -> Result<()> {
        let now = Instant::now();
        let seconds = (now - self.reported).as_secs_f64();
        self.reported = now;
        let overhead = self.meter.interval(&self.kernel, self.seen()?)?;
        for device in &mut self.devices {
            if !device.is_gone && device::name_of(device.index).is_none() {
                device.is_gone = true;
                eprintln!("{} is gone; what was counted stays, and nothing is added", device.name);
            }
            let counts = self.kernel.counts(device.index)?.settled();
            let snapshot = device.aggregate.interval(&counts, &device.consumed, seconds);
            printer.interval(&Snapshot { overhead: Some(overhead), ..snapshot })?;
        }
        Ok(())
    }

    /// Packets that all devices have seen.
    fn seen(&self) -> Result<u64> {
        let mut seen = 0;
        for device in &self.devices {
            seen += self.kernel.counts(device.index)?.totals.classes.as_flattened().iter().sum::<u64>();
        }
        Ok(seen)
    }

    /// Says whether any device has seen a tunnel packet.
    fn has_traffic(&self) -> Result<bool> {
        let mut seen = 0;
        for device in &self.devices {
            let totals = self.kernel.counts(device.index)?.totals;
            seen += totals.classes.iter().flat_map(|classes| &classes[1..]).sum::<u64>();
        }
        Ok(seen != 0)
    }

    /// Begins to listen on all devices, when the watched ones carry nothing.
    fn listen(&mut self) -> Result<()> {
        if !self.has_traffic()? {
            self.sniffer = Sniffer::new(self.port).ok();
        }
        Ok(())
    }

    /// Says that there is no traffic, and where there is some.
    fn hint(&mut self) -> Result<()> {
        let sniffer = self.sniffer.take();
        if self.has_traffic()? {
            return Ok(());
        }
        let names: Vec<&str> = self.devices.iter().map(|device| device.name.as_str()).collect();
        let names = names.join(",");
        let mut other = 0;
        for device in &self.devices {
            other += self.kernel.totals(device.index)?.classes.iter().map(|classes| classes[0]).sum::<u64>();
        }
        eprintln!("no tunnel packets (UDP {}) on {names} in 2 s; other packets there: {other}", self.port);
        match sniffer.and_then(|sniffer| sniffer.busiest()) {
            Some(busiest) if busiest != names => {
                eprintln!("  {busiest} carries tunnel packets; try: tunmon --iface {busiest}");
            }
            _ => eprintln!("  no other device of this network namespace carries any now; going on"),
        }
        Ok(())
    }

    /// Detaches, reads what is left, and sums up.
    async fn finish(mut self, options: &Common, printer: &mut Printer) -> Result<()> {
        self.devices.iter_mut().for_each(|device| device.attachment = None);
        let seconds = self.started.elapsed().as_secs_f64();
        let patience = Instant::now() + Duration::from_secs(1);
        loop {
            self.drain(options.events, printer)?;
            if self.is_drained()? || Instant::now() > patience {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let overhead = self.meter.whole(&self.kernel, self.seen()?)?;
        for device in &mut self.devices {
            let counts = self.kernel.counts_with_histograms(device.index)?;
            let snapshot = device.aggregate.whole(&counts, &device.consumed, seconds);
            printer.summary(&Snapshot { overhead: Some(overhead), ..snapshot })?;
        }
        printer.text(&ui::overhead::text(&overhead))
    }

    /// Says whether every event that was submitted has been read.
    fn is_drained(&self) -> Result<bool> {
        for device in &self.devices {
            let totals = self.kernel.totals(device.index)?;
            let mut kinds = totals.events.iter().zip(&device.consumed);
            if kinds.any(|(outcome, consumed)| outcome.submitted != consumed.consumed) {
                return Ok(false);
            }
        }
        Ok(true)
    }
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
fn boot_time() -> Timestamp {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the struct outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    Timestamp::now() - SignedDuration::new(time.tv_sec, time.tv_nsec as i32)
}
