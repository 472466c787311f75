//! What the whole tunmon costs on its own processor, while another one makes the traffic.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::generator::{Generator, Spread, rewrite};
use super::ratio::rounded;
use super::usage::{self, on_processor};
use super::wire::{DEVICE, Wire};
use crate::bench::packets;
use crate::raw::Sender;
use crate::tunmon::Tunmon;

/// Frames that are sent in one go at full speed; to begin takes milliseconds.
const BURST: u32 = 400_000;
/// Time between two looks at the clock at a pace: events are limited to 16 a processor in 1.05 ms, so the frames have to
/// be spread evenly for all events to be delivered.
const TICK: Duration = Duration::from_micros(400);

/// Events a second, with fewer of which the machine's own noise would be divided by next to nothing.
const ENOUGH: f64 = 5000.0;
/// Two of tunmon's intervals: with less, a report more or less would decide.
const LEAST_SECONDS: f64 = 4.0;

/// What there is to do.
pub struct Scenario {
    /// What tables and JSON call it.
    pub id: &'static str,
    /// Options of tunmon.
    arguments: &'static str,
    spread: Spread,
    /// Frames a second; none: as many as can be made.
    pace: Option<u32>,
    /// What it may cost, in percent of a processor.
    target_percent: Option<f64>,
}

/// Ten thousand frames a second, each of which answers one of 4096 flows, and so is an event.
const EVENTS: Option<u32> = Some(10_000);
const FLOWS: Spread = Spread { vni_bits: 0, peer_bits: 0, flow_bits: 12 };
const NETWORKS: Spread = Spread { vni_bits: 12, peer_bits: 0, flow_bits: 0 };

/// All that is measured; the first is rest.
pub const SCENARIOS: &[Scenario] = &[
    Scenario { id: "rest", arguments: "", spread: FLOWS, pace: Some(0), target_percent: Some(0.5) },
    Scenario { id: "events_10k", arguments: "", spread: FLOWS, pace: EVENTS, target_percent: Some(5.0) },
    Scenario { id: "events_10k_printed", arguments: "--events", spread: FLOWS, pace: EVENTS, target_percent: None },
    Scenario {
        id: "vnis_4096_rest",
        arguments: "--max-vnis 4096",
        spread: NETWORKS,
        pace: Some(0),
        target_percent: None,
    },
    Scenario {
        id: "vnis_4096_events_10k",
        arguments: "--max-vnis 4096",
        spread: NETWORKS,
        pace: EVENTS,
        target_percent: Some(0.5),
    },
    Scenario { id: "full_speed", arguments: "", spread: FLOWS, pace: None, target_percent: None },
];

/// What a scenario has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The scenario.
    pub scenario: &'static str,
    /// Options of tunmon.
    pub options: &'static str,
    /// Frames a second.
    pub frames_per_second: f64,
    /// Events that tunmon read in a second.
    pub events_per_second: f64,
    /// tunmon's share of a processor.
    pub processor_percent: f64,
    /// What it may be.
    pub target_percent: Option<f64>,
    /// Processor time of an event, over that at rest, with its share in reports; of the scenarios with the options of rest.
    pub event_ns: Option<f64>,
    /// tunmon's own memory at the end.
    pub resident_bytes: u64,
    /// Frames that did not arrive.
    pub lost: u64,
}

/// Runs one scenario for `seconds`; an error if a count is wrong or an identity does not hold.
pub fn measure(scenario: &Scenario, wire: &Wire, object: &[u8], seconds: f64) -> Result<Row> {
    let traffic = Traffic::new(scenario, wire, object)?;
    let [own, other] = usage::two_processors()?;
    let before = wire.received()?;
    let mut tunmon = Tunmon::start(&wire.far, DEVICE, scenario.arguments)?;
    usage::pin(tunmon.pid(), own)?;
    // The first pass makes tunnels and flows known; none of its frames answers anything.
    let first = scenario.spread.frames();
    on_processor(other, || (0..first).try_for_each(|number| traffic.send(number)))?;
    tunmon.wait_for("a report", |record| record["schema"] == "tunmon.interval/v1")?;
    let (start, used) = (Instant::now(), usage::processor_ns(tunmon.pid())?);
    let sent = on_processor(other, || traffic.run(first, Duration::from_secs_f64(seconds.max(LEAST_SECONDS))))?;
    let (passed, used) = (start.elapsed().as_secs_f64(), usage::processor_ns(tunmon.pid())? - used);
    let resident_bytes = usage::resident_bytes(tunmon.pid())?;
    let summary = tunmon.stop()?.summary()?;
    summary.check_identities().with_context(|| format!("{} at the end", scenario.id))?;
    let received = wire.received()? - before;
    let counted = summary.accounting.classes["geneve"];
    ensure!(counted == received, "{}: {counted} frames counted, {received} received", scenario.id);
    Ok(Row {
        scenario: scenario.id,
        options: scenario.arguments,
        frames_per_second: rounded(sent as f64 / passed),
        events_per_second: rounded(summary.accounting.events.delivered as f64 / passed),
        processor_percent: rounded(used as f64 / passed / 1e7),
        target_percent: scenario.target_percent,
        event_ns: None,
        resident_bytes,
        lost: sent + u64::from(first) - received,
    })
}

/// Fills in what an event costs, where the options are those of the row at rest.
pub fn price_events(rest: &Row, busy: &mut Row) {
    if busy.options != rest.options {
        return;
    }
    let used_ns = (busy.processor_percent - rest.processor_percent) * 1e7;
    busy.event_ns = (busy.events_per_second >= ENOUGH).then(|| rounded(used_ns / busy.events_per_second));
}

/// Who makes a scenario's frames.
struct Traffic<'a> {
    scenario: &'a Scenario,
    wire: &'a Wire,
    generator: Generator,
    sender: Sender,
}

impl<'a> Traffic<'a> {
    fn new(scenario: &'a Scenario, wire: &'a Wire, object: &[u8]) -> Result<Self> {
        let generator = Generator::load(object, wire, packets::tunnel_tcp(), Some(scenario.spread))?;
        Ok(Self { scenario, wire, generator, sender: wire.sender()? })
    }

    fn send(&self, number: u32) -> Result<()> {
        let mut frame = packets::tunnel_tcp();
        rewrite(&mut frame, number, self.scenario.spread);
        self.sender.send(&frame)
    }

    /// Sends at the scenario's pace for this long, from the frame `first` on; returns the number of frames.
    fn run(&self, first: u32, duration: Duration) -> Result<u64> {
        let (start, mut sent) = (Instant::now(), 0);
        let _inside = self.wire.enter()?;
        while start.elapsed() < duration {
            let Some(pace) = self.scenario.pace else {
                self.generator.send(BURST)?;
                sent += u64::from(BURST);
                continue;
            };
            thread::sleep(TICK);
            let due = (start.elapsed().as_secs_f64() * f64::from(pace)) as u64;
            (sent..due).try_for_each(|number| self.send(first + number as u32))?;
            sent = due;
        }
        Ok(sent)
    }
}
