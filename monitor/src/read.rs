//! The pipeline over a capture file: the same parser, tables and events as in the kernel, with the capture's clock.
//!
//! Who is local decides which way each frame goes. When it is not said, a first pass over the file finds the tunnel
//! endpoint that is seen most (`read/local.rs`); a pipe cannot be read twice, so there it has to be said.
//!
//! No clock and no output here: what is found goes to the caller, one [`Item`] at a time.

mod local;

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use monitor_common::event;
use monitor_common::frame::{Direction, Frame};
use monitor_common::heap::HeapTables;
use monitor_common::observe::observe;
use monitor_common::packet::{self, Address, Packet};
use monitor_common::wire::geneve::Ports;

use crate::capture::{Capture, Record};

/// Index of the device that the frames of a file belong to.
pub const DEVICE: u32 = 1;

/// Slots for tunnels, and buckets of two flows.
const TUNNELS: u32 = 1 << 14;
const FLOWS: u32 = 1 << 16;

/// Of all hashes; a small number would leave them as they are. The same for every file, so that a file gives one answer.
const SEED: u64 = 0x2545_f491_4f6c_dd1d;

/// Frames between two reports of progress.
const STRIDE: u64 = 4096;

/// What to read and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The capture file, a pipe included.
    pub file: PathBuf,
    /// Addresses of this node's tunnel endpoint; empty: found in the file.
    pub local: Vec<IpAddr>,
    /// UDP destination ports of the tunnels; empty: 6081.
    pub ports: Vec<u16>,
    /// Hand out each parsed frame.
    pub packets: bool,
}

/// What reading comes upon, in the order of the file.
pub enum Item<'a> {
    /// A frame; only when [`Options::packets`] says so.
    Packet {
        /// The parsed frame.
        packet: &'a Packet,
        /// Its time and bytes.
        record: &'a Record<'a>,
        /// Its number, counted from 1.
        frame: u64,
    },
    /// An event.
    Event {
        /// The event; its times are the capture's, in nanoseconds since 1970.
        event: &'a event::Any,
        /// The tables after the frame that caused it, which know its tunnel.
        tables: &'a HeapTables,
    },
    /// The share of the work that is done, 0 to 1; comes often, and never from a pipe.
    Progress(f64),
}

/// What a file amounted to.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Counts and tunnels, of device [`DEVICE`].
    pub tables: HeapTables,
    /// Frames in the file.
    pub frames: u64,
    /// Time of the earliest frame, in nanoseconds since 1970.
    pub first_ns: Option<u64>,
    /// Time of the latest frame.
    pub last_ns: Option<u64>,
    /// The addresses that were taken for this node's, given or found; empty: no tunnel was seen.
    pub local: Vec<IpAddr>,
    /// Where the record begins in whose middle the file ends.
    pub truncated_at: Option<u64>,
}

/// Reads a capture file to its end.
pub fn read(options: &Options, mut on: impl FnMut(Item<'_>)) -> Result<Reading> {
    let path = &options.file;
    run(options, &mut on).with_context(|| format!("cannot read {}", path.display()))
}

fn run(options: &Options, on: &mut impl FnMut(Item<'_>)) -> Result<Reading> {
    let (source, size) = open(&options.file)?;
    if !options.local.is_empty() {
        return observe_all(source, options, options.local.clone(), Pass { size, from: 0.0, part: 1.0 }, on);
    }
    ensure!(size.is_some(), "it is a pipe, which can be read only once: say which address is this node's with --local");
    let pass = Pass { size, from: 0.0, part: 0.5 };
    let local = local::find(source, Ports::new(&options.ports), |at| pass.report(at, on))?;
    let (source, size) = open(&options.file)?;
    observe_all(source, options, local, Pass { size, from: 0.5, part: 0.5 }, on)
}

/// The file, and its size when it can be read again.
fn open(path: &Path) -> Result<(File, Option<u64>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    ensure!(!metadata.is_dir(), "it is a directory");
    Ok((file, metadata.is_file().then_some(metadata.len())))
}

/// One pass over the file: its size when it is known, and which part of the work it is.
#[derive(Clone, Copy)]
struct Pass {
    size: Option<u64>,
    from: f64,
    part: f64,
}

impl Pass {
    fn report(self, at: u64, on: &mut impl FnMut(Item<'_>)) {
        if let Some(size) = self.size.filter(|size| *size > 0) {
            on(Item::Progress(self.from + self.part * (at as f64 / size as f64).min(1.0)));
        }
    }
}

fn observe_all(
    source: impl Read,
    options: &Options,
    local: Vec<IpAddr>,
    pass: Pass,
    on: &mut impl FnMut(Item<'_>),
) -> Result<Reading> {
    let ports = Ports::new(&options.ports);
    let tables = HeapTables::new(ports, SEED, TUNNELS, FLOWS, usize::MAX).without_limits();
    let mut reading = Reading { tables, frames: 0, first_ns: None, last_ns: None, local, truncated_at: None };
    let is_local: Vec<Address> = reading.local.iter().copied().map(Address::from).collect();
    let (mut capture, mut packet) = (Capture::new(source)?, Packet::default());
    while let Some(record) = capture.next_record()? {
        reading.count(&record);
        let frame = frame_of(&record, direction(&record, ports, &is_local, &mut packet));
        if options.packets {
            packet::parse(record.bytes, &frame, ports, &mut packet);
            on(Item::Packet { packet: &packet, record: &record, frame: reading.frames });
        }
        observe(record.bytes, &frame, &mut reading.tables, &mut packet, || record.timestamp_ns);
        while let Some(event) = reading.tables.next_event() {
            on(Item::Event { event: &event, tables: &reading.tables });
        }
        if reading.frames.is_multiple_of(STRIDE) {
            pass.report(capture.position(), on);
        }
    }
    reading.truncated_at = capture.truncated_at();
    pass.report(u64::MAX, on);
    Ok(reading)
}

impl Reading {
    fn count(&mut self, record: &Record<'_>) {
        let at = record.timestamp_ns;
        self.frames += 1;
        self.first_ns = Some(self.first_ns.map_or(at, |first| first.min(at)));
        self.last_ns = Some(self.last_ns.map_or(at, |last| last.max(at)));
    }
}

/// Transmit when the outer source is local, else receive.
fn direction(record: &Record<'_>, ports: Ports, local: &[Address], scratch: &mut Packet) -> Direction {
    packet::parse_outer(record.bytes, &frame_of(record, Direction::Rx), ports, scratch);
    let is_sent = scratch.outer.version != 0 && local.contains(&scratch.outer.source);
    if is_sent { Direction::Tx } else { Direction::Rx }
}

/// What the pipeline wants to know of a record besides its bytes.
fn frame_of(record: &Record<'_>, direction: Direction) -> Frame {
    let captured = record.bytes.len() as u32;
    let mut frame = Frame::new(DEVICE, direction, record.original_length.max(captured));
    frame.captured = captured;
    frame
}
