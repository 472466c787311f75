//! More than the tables hold: memory that stays as it was at the start, and nothing that is not counted.

use std::cell::Cell;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::generator::{Generator, Spread};
use super::usage;
use super::wire::{DEVICE, Wire};
use crate::bench::packets;
use crate::tunmon::{Summary, Tunmon};

/// A tunmon with these limits, and what is offered to it.
pub struct Scenario {
    /// What tables and JSON call it.
    pub id: &'static str,
    /// Options of tunmon that set its limits.
    pub arguments: &'static str,
    /// Flows of one tunnel, in both directions.
    pub flow_bits: u32,
    /// Then a frame of each of so many tunnels, of this many VNIs and peers.
    pub vni_bits: u32,
    /// See above.
    pub peer_bits: u32,
}

/// 4096 VNIs with 1024 peers, and a million flows.
pub const SCENARIOS: &[Scenario] = &[
    Scenario { id: "defaults", arguments: "", flow_bits: 20, vni_bits: 12, peer_bits: 10 },
    Scenario {
        id: "largest",
        arguments: "--max-vnis 4096 --max-peers 1024",
        flow_bits: 20,
        vni_bits: 12,
        peer_bits: 10,
    },
];

/// What a scenario has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The scenario.
    pub scenario: &'static str,
    /// Memory of the tables, as tunmon says at the start.
    pub table_bytes: u64,
    /// Memory of all maps, as the kernel says, at the start.
    pub kernel_bytes: u64,
    /// How much that has grown at the end.
    pub kernel_growth_bytes: u64,
    /// tunmon's own memory at the start.
    pub resident_start_bytes: u64,
    /// tunmon's own memory at the end.
    pub resident_bytes: u64,
    /// Slots for tunnels.
    pub tunnels_max: u64,
    /// Tunnels that were offered.
    pub tunnels_offered: u64,
    /// Tunnels that got a slot.
    pub tunnels_tracked: u64,
    /// Flows that were offered.
    pub flows_offered: u64,
    /// Frames that were sent.
    pub frames: u64,
    /// Frames that did not arrive.
    pub lost: u64,
    /// Frames of tunnels without a slot.
    pub untracked: u64,
    /// Frames that are counted together: those, and those of VNIs beyond the limit.
    pub other: u64,
    /// Flows that took a free entry.
    pub flows_inserted: u64,
    /// Flows that took the entry of another one.
    pub flows_evicted: u64,
}

/// Runs a scenario; an error if a count is wrong or an identity does not hold.
pub fn measure(scenario: &Scenario, wire: &Wire, object: &[u8]) -> Result<Row> {
    let flows = Spread { flow_bits: scenario.flow_bits, ..Spread::default() };
    let tunnels = Spread { vni_bits: scenario.vni_bits, peer_bits: scenario.peer_bits, flow_bits: 0 };
    let generator = |spread| Generator::load(object, wire, packets::tunnel_tcp(), Some(spread));
    let (of_flows, of_tunnels) = (generator(flows)?, generator(tunnels)?);
    let before = wire.received()?;
    let mut tunmon = Tunmon::start(&wire.far, DEVICE, scenario.arguments)?;
    let at_start = memory(&tunmon)?;
    wire.on_sending_side(|| {
        of_flows.send(2 * flows.frames())?;
        of_tunnels.send(tunnels.frames())
    })?;
    let frames = u64::from(2 * flows.frames() + tunnels.frames());
    let lost = frames - (wire.received()? - before);
    let reported = Cell::new(0);
    tunmon.wait_for("reports of all frames", |record| {
        let of_report = record["accounting"]["classes"]["geneve"].as_u64();
        reported.set(reported.get() + of_report.unwrap_or_default());
        reported.get() == frames - lost
    })?;
    let at_end = memory(&tunmon)?;
    let start = tunmon.start_record().clone();
    let summary = tunmon.stop()?.summary()?;
    check(&summary, frames - lost)?;
    let number = |name: &str| start[name].as_u64().with_context(|| format!("no {name} in the start record"));
    let row = Row {
        scenario: scenario.id,
        table_bytes: number("table_bytes")?,
        kernel_bytes: at_start.0,
        kernel_growth_bytes: at_end.0.saturating_sub(at_start.0),
        resident_start_bytes: at_start.1,
        resident_bytes: at_end.1,
        tunnels_max: number("tunnels_max")?,
        tunnels_offered: u64::from(tunnels.frames()),
        flows_offered: u64::from(flows.frames()),
        frames,
        lost,
        // Each tunnel sent one frame; the one of the flows has its slot from before.
        tunnels_tracked: u64::from(tunnels.frames()) - summary.accounting.untracked_packets,
        untracked: summary.accounting.untracked_packets,
        other: summary.other.rx_packets,
        flows_inserted: summary.accounting.flows.inserted,
        flows_evicted: summary.accounting.flows.evicted,
    };
    ensure!(row.tunnels_tracked <= row.tunnels_max, "more tunnels than slots: {row:?}");
    Ok(row)
}

/// Bytes of the maps, and of the process.
fn memory(tunmon: &Tunmon) -> Result<(u64, u64)> {
    Ok((usage::map_bytes(tunmon.pid())?.values().sum(), usage::resident_bytes(tunmon.pid())?))
}

fn check(summary: &Summary, received: u64) -> Result<()> {
    summary.check_identities()?;
    let geneve = summary.accounting.classes["geneve"];
    ensure!(geneve == received, "{geneve} frames counted, {received} received");
    let peers: u64 = summary.peers.iter().map(|peer| peer.rx_packets + peer.tx_packets).sum();
    let others = summary.other_peers.rx_packets + summary.other_peers.tx_packets;
    ensure!(geneve == peers + others, "geneve {geneve} is not per peer {peers} + other peers {others}");
    Ok(())
}
