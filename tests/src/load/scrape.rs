//! What one reading of all counts costs: what tunmon does for each report.

use std::time::Instant;

use anyhow::{Result, ensure};
use monitor::bpf::load;
use serde::Serialize;

use super::generator::{Generator, Spread};
use super::ratio::rounded;
use super::receiver::{self, Receiver, Subject};
use super::wire::Wire;
use crate::bench::packets;

/// What the reading of so many tunnels has cost.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Tunnels that have a slot.
    pub tunnels: usize,
    /// Possible processors, each with counters of its own.
    pub processors: usize,
    /// Least time, in nanoseconds, of a tunnel and processor.
    pub ns: f64,
    /// What it should be at most.
    pub target_ns: f64,
}

const ROUNDS: usize = 50;

/// One VNI, and as many as may be told apart, each with one peer; and a table that is full.
const SIZES: [Spread; 3] = [
    Spread { vni_bits: 7, peer_bits: 0, flow_bits: 0 },
    Spread { vni_bits: 12, peer_bits: 0, flow_bits: 0 },
    Spread { vni_bits: 12, peer_bits: 8, flow_bits: 0 },
];

/// Measures each size.
pub fn measure(wire: &Wire, objects: [&[u8]; 2]) -> Result<Vec<Row>> {
    SIZES.iter().map(|spread| row(wire, objects, *spread)).collect()
}

fn row(wire: &Wire, objects: [&[u8]; 2], spread: Spread) -> Result<Row> {
    let mut receiver = Receiver::new(wire, objects[0], objects[1], receiver::default_sizes()?)?;
    receiver.set(Subject::Tunmon)?;
    {
        let _inside = wire.enter()?;
        Generator::load(objects[0], wire, packets::tunnel_tcp(), Some(spread))?.send(spread.frames())?;
    }
    let tunnels = receiver.seen()?.0.tunnels.len();
    ensure!(tunnels != 0, "no tunnel has a slot");
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let counts = receiver.seen()?.0;
        least = least.min(start.elapsed().as_nanos() as f64);
        ensure!(counts.tunnels.len() == tunnels, "tunnels come or go");
    }
    let processors = load::processors()?;
    let ns = rounded(least / (tunnels * processors) as f64);
    Ok(Row { tunnels, processors, ns, target_ns: 250.0 })
}
