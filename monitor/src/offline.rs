//! The command `read`: a capture through the same code, shown in the same forms.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use monitor_common::event::Any;
use monitor_common::frame::UNTRACKED;
use monitor_common::heap::HeapTables;
use monitor_common::tunnel::Tunnel;

use crate::aggregate::Aggregate;
use crate::cli::{Cli, Read};
use crate::counts::{ByKind, Counts};
use crate::export::{json, packet};
use crate::failure::Failure;
use crate::findings::Findings;
use crate::inventory::{Inventory, Kind};
use crate::names;
use crate::output::Printer;
use crate::read::{self, DEVICE, Item, Options, Reading};
use crate::strangers::Tracker;

const ADVICE: &str = "it has to be a pcap or pcapng file of Ethernet frames, such as tcpdump -w makes";

/// Reads the capture that the command line names.
pub(crate) fn read(command: &Read, cli: &Cli) -> Result<()> {
    let common = &cli.common;
    let mut printer = Printer::new(common.output);
    let name = command.file.file_name().map_or_else(|| "capture".into(), |name| name.to_string_lossy());
    let limits = common.limits();
    let mut analysis = Analysis {
        aggregate: Aggregate::new(&name, 0, limits),
        consumed: ByKind::default(),
        progress: Progress::new(),
        name: &name,
        is_printing_events: common.events,
        is_here: !command.local.is_empty(),
        names: names(cli, &mut printer)?,
    };
    let options = Options {
        file: if command.file == Path::new("-") { "/dev/stdin".into() } else { command.file.clone() },
        local: command.local.clone(),
        ports: common.ports.clone(),
        packets: command.packets,
    };
    let mut result = Ok(());
    let reading = read::read(&options, |item| {
        if result.is_ok() {
            result = analysis.take(item, &mut printer);
        }
    });
    let reading = reading.map_err(|error| Failure::runtime(format!("{error:#}"), ADVICE))?;
    result?;
    analysis.finish(&reading, &mut printer)
}

/// Names of the sources that the command line names; those that cannot be had are told.
fn names(cli: &Cli, printer: &mut Printer) -> Result<Arc<Inventory>> {
    let names = names::once(&cli.names)?;
    for source in names.sources().filter(|source| source.kind != Kind::File) {
        printer.source(&json::SourceRecord::new(source, &names))?;
    }
    Ok(names)
}

struct Analysis<'a> {
    aggregate: Aggregate,
    consumed: ByKind,
    progress: Progress,
    name: &'a str,
    is_printing_events: bool,
    /// Whether it was said which addresses are this node's.
    is_here: bool,
    names: Arc<Inventory>,
}

impl Analysis<'_> {
    fn take(&mut self, item: Item<'_>, printer: &mut Printer) -> Result<()> {
        match item {
            Item::Packet { packet, record, frame } => printer.line(&packet::line(packet, record, frame, &self.names)),
            Item::Event { event, tables } => self.event(event, tables, printer),
            Item::Progress(part) => {
                self.progress.show(part);
                Ok(())
            }
        }
    }

    fn event(&mut self, event: &Any, tables: &HeapTables, printer: &mut Printer) -> Result<()> {
        self.consumed[usize::from(event.head().kind)].deliver();
        let tunnel = tunnel(tables, event.head().tunnel);
        self.aggregate.record(event, tunnel.as_ref());
        if !self.is_printing_events {
            return Ok(());
        }
        let at = Timestamp::from_nanosecond(i128::from(event.head().at_ns))?;
        printer.record_at(json::EVENT, at, json::Event::new(event, self.name, tunnel.as_ref(), &self.names))
    }

    fn finish(mut self, reading: &Reading, printer: &mut Printer) -> Result<()> {
        self.progress.end();
        if let Some(at) = reading.truncated_at {
            eprintln!(
                "tunmon: {} ends in the middle of a record, at byte {at}; what stands before it counts",
                self.name
            );
        }
        let span = reading.first_ns.zip(reading.last_ns).map_or(0, |(first, last)| last - first);
        let local: Vec<String> = reading.local.iter().map(ToString::to_string).collect();
        let local = if local.is_empty() { "no tunnel endpoint was seen".to_owned() } else { local.join(" ") };
        printer.text(&format!("{} frames; this node: {local}\n", reading.frames))?;
        let counts = Counts::of(&reading.tables, DEVICE);
        self.aggregate.update(&counts);
        self.aggregate.is_now(reading.last_ns.unwrap_or_default());
        let mut snapshot = self.aggregate.whole(&counts, &self.consumed, span as f64 / 1e9).named(&self.names);
        snapshot.evidence.is_here = self.is_here;
        // A capture is over: what the file does not say now, it will not say later.
        Tracker::default().judge(&mut snapshot, Duration::ZERO, Duration::ZERO, Timestamp::now());
        let mut findings = Findings::default();
        for finding in findings.judge(&snapshot, Duration::ZERO) {
            printer.record(json::FINDING, &finding)?;
        }
        printer.summary(&snapshot, &findings.all())
    }
}

fn tunnel(tables: &HeapTables, slot: u16) -> Option<Tunnel> {
    if slot == UNTRACKED { None } else { tables.tunnel_of(slot) }
}

/// Progress on a terminal, a few times a second, once the work takes longer than a moment.
struct Progress {
    is_terminal: bool,
    last: Instant,
    is_shown: bool,
}

impl Progress {
    fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), last: Instant::now(), is_shown: false }
    }

    fn show(&mut self, part: f64) {
        if self.is_terminal && self.last.elapsed() > Duration::from_millis(200) {
            eprint!("\r{:3.0} %", part * 100.0);
            self.last = Instant::now();
            self.is_shown = true;
        }
    }

    fn end(&self) {
        if self.is_shown {
            eprint!("\r     \r");
        }
    }
}
