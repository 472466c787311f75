//! The block format (draft-ietf-opsawg-pcapng).
//!
//! ```text
//! block:     | type (32) | total length (32) | body ... | total length (32) |
//! section:   | byte-order magic (32) | ...              resets byte order and interfaces
//! interface: | link type (16) | reserved (16) | snap length (32) | options ...
//! enhanced:  | interface (32) | time high, low (32 each) | captured (32) | original (32) | bytes ... | options ...
//! packet:    | interface (16) | drops (16) | then as enhanced                       (obsolete)
//! simple:    | original (32) | bytes ...                                            interface 0, no time
//! option:    | code (16) | length (16) | value, padded to 4 bytes ...
//! ```
//! Other blocks are skipped.

use std::io::Read;

use anyhow::{Context, Result, bail, ensure};

use super::input::Input;
use super::pcap::number;
use super::{RECORD_LIMIT, Step, check_link_type};

/// The first four bytes of a file, in either byte order.
pub(super) const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE: u32 = 3;
const ENHANCED: u32 = 6;

const OPTION_RESOLUTION: u16 = 9;
const OPTION_OFFSET: u16 = 14;

/// Interfaces that a section may describe.
const INTERFACE_LIMIT: usize = 1 << 16;

/// Block type and total length, before and behind the body.
const HEADER: usize = 8;
const TRAILER: usize = 4;

/// The section that is being read.
#[derive(Default)]
pub(super) struct Section {
    is_big_endian: bool,
    interfaces: Vec<Interface>,
}

/// What an interface block says.
struct Interface {
    link_type: u32,
    snap_length: usize,
    /// Timestamp units in a second.
    units: u64,
    /// Seconds to add to each timestamp.
    offset: i64,
}

impl Section {
    pub(super) fn step<R: Read>(&mut self, input: &mut Input<R>) -> Result<Step> {
        if !input.holds(HEADER + TRAILER)? {
            return Ok(if input.bytes().is_empty() { Step::End } else { Step::Cut });
        }
        let kind = self.u32(input.bytes(), 0);
        if kind == SECTION {
            self.begin(number(&input.bytes()[8..], true))?;
        }
        let total = self.u32(input.bytes(), 4) as usize;
        if total < HEADER + TRAILER || !total.is_multiple_of(4) || total > RECORD_LIMIT {
            bail!("no block: its type would be {kind:#x}, its length {total} bytes");
        }
        if !input.holds(total)? {
            return Ok(Step::Cut);
        }
        ensure!(self.u32(input.bytes(), total - TRAILER) as usize == total, "the two lengths of a block differ");
        self.block(kind, &input.bytes()[HEADER..total - TRAILER], total).with_context(|| format!("block {kind:#x}"))
    }

    /// Begins a section; `magic` is its byte-order mark, read in network order.
    fn begin(&mut self, magic: u32) -> Result<()> {
        self.is_big_endian = match magic {
            0x1a2b_3c4d => true,
            0x4d3c_2b1a => false,
            _ => bail!("a section has no byte order: {magic:#x}"),
        };
        self.interfaces.clear();
        Ok(())
    }

    fn block(&mut self, kind: u32, body: &[u8], total: usize) -> Result<Step> {
        match kind {
            INTERFACE => {
                ensure!(self.interfaces.len() < INTERFACE_LIMIT, "it is one interface too many");
                let interface = self.interface(body)?;
                self.interfaces.push(interface);
                Ok(Step::Skip(total))
            }
            ENHANCED => {
                ensure!(body.len() >= 20, "it is too short");
                self.packet(self.u32(body, 0), body, total)
            }
            PACKET => {
                ensure!(body.len() >= 20, "it is too short");
                self.packet(u32::from(self.u16(body, 0)), body, total)
            }
            SIMPLE => self.simple(body, total),
            _ => Ok(Step::Skip(total)),
        }
    }

    fn packet(&self, interface: u32, body: &[u8], total: usize) -> Result<Step> {
        let interface = self.known(interface)?;
        let time = u64::from(self.u32(body, 4)) << 32 | u64::from(self.u32(body, 8));
        let (length, original_length) = (self.u32(body, 12) as usize, self.u32(body, 16));
        ensure!(length <= body.len() - 20, "its {length} captured bytes do not fit into it");
        Ok(Step::Frame { timestamp_ns: interface.nanoseconds(time), original_length, skip: HEADER + 20, length, total })
    }

    fn simple(&self, body: &[u8], total: usize) -> Result<Step> {
        ensure!(body.len() >= 4, "it is too short");
        let (interface, original_length) = (self.known(0)?, self.u32(body, 0));
        let length = (original_length as usize).min(interface.snap_length).min(body.len() - 4);
        Ok(Step::Frame { timestamp_ns: 0, original_length, skip: HEADER + 4, length, total })
    }

    fn known(&self, index: u32) -> Result<&Interface> {
        let interface = self.interfaces.get(index as usize);
        let interface = interface.with_context(|| format!("it names interface {index}, which nothing describes"))?;
        check_link_type(interface.link_type)?;
        Ok(interface)
    }

    fn interface(&self, body: &[u8]) -> Result<Interface> {
        ensure!(body.len() >= 8, "it is too short");
        let snap_length = match self.u32(body, 4) as usize {
            0 => usize::MAX,
            length => length,
        };
        let link_type = u32::from(self.u16(body, 0));
        let mut interface = Interface { link_type, snap_length, units: 1_000_000, offset: 0 };
        let mut rest = &body[8..];
        while rest.len() >= 4 {
            let (code, length) = (self.u16(rest, 0), usize::from(self.u16(rest, 2)));
            let Some(value) = rest.get(4..4 + length) else { break };
            match (code, length) {
                (0, _) => break,
                (OPTION_RESOLUTION, 1) => interface.units = units(value[0])?,
                (OPTION_OFFSET, 8) => interface.offset = self.u64(value) as i64,
                _ => {}
            }
            rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(interface)
    }

    fn u16(&self, bytes: &[u8], at: usize) -> u16 {
        let bytes = [bytes[at], bytes[at + 1]];
        if self.is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    fn u32(&self, bytes: &[u8], at: usize) -> u32 {
        number(&bytes[at..], self.is_big_endian)
    }

    fn u64(&self, bytes: &[u8]) -> u64 {
        let (first, second) = (u64::from(self.u32(bytes, 0)), u64::from(self.u32(bytes, 4)));
        if self.is_big_endian { first << 32 | second } else { second << 32 | first }
    }
}

impl Interface {
    /// Nanoseconds since 1970 of a timestamp; one before that, or past the year 2554, stands at the end it is past.
    fn nanoseconds(&self, time: u64) -> u64 {
        let ns = i128::from(time) * 1_000_000_000 / i128::from(self.units) + i128::from(self.offset) * 1_000_000_000;
        u64::try_from(ns.max(0)).unwrap_or(u64::MAX)
    }
}

/// Units in a second by `if_tsresol`: a power of ten, or of two when the top bit is set.
fn units(resolution: u8) -> Result<u64> {
    let exponent = u32::from(resolution & 0x7f);
    let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(exponent).with_context(|| format!("its timestamps are too fine: {base}^-{exponent} s"))
}
