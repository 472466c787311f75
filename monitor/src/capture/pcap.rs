//! The classic format (draft-ietf-opsawg-pcap).
//!
//! ```text
//! file:   | magic (32) | major (16) minor (16) | 2 reserved (32 each) | snap length (32) | flags (16) link type (16) |
//! record: | seconds (32) | µs or ns (32) | captured length (32) | original length (32) | bytes ...
//! ```
//! All numbers have the byte order of the machine that wrote the file; the magic tells it.

use std::io::Read;

use anyhow::{Result, bail};

use super::input::Input;
use super::{RECORD_LIMIT, Step, check_link_type};

const HEADER: usize = 24;
const RECORD: usize = 16;

/// What the file header says.
pub(super) struct Header {
    is_big_endian: bool,
    /// Nanoseconds in one unit of a timestamp's second half.
    unit_ns: u64,
}

impl Header {
    pub(super) fn read<R: Read>(magic: [u8; 4], input: &mut Input<R>) -> Result<Self> {
        let (is_big_endian, unit_ns) = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => (true, 1000),
            [0xd4, 0xc3, 0xb2, 0xa1] => (false, 1000),
            [0xa1, 0xb2, 0x3c, 0x4d] => (true, 1),
            [0x4d, 0x3c, 0xb2, 0xa1] => (false, 1),
            [0x1f, 0x8b, ..] => bail!("this is a gzip file: unpack it first"),
            [0x28, 0xb5, 0x2f, 0xfd] => bail!("this is a zstd file: unpack it first"),
            [a, b, c, d] => bail!("this is no capture file: it begins with {a:02x}{b:02x}{c:02x}{d:02x}"),
        };
        if !input.holds(HEADER)? {
            bail!("the pcap header is cut: the file has {} bytes", input.bytes().len());
        }
        let link_type = number(&input.bytes()[20..], is_big_endian) & 0xffff;
        check_link_type(link_type)?;
        input.consume(HEADER);
        Ok(Self { is_big_endian, unit_ns })
    }

    pub(super) fn step<R: Read>(&self, input: &mut Input<R>) -> Result<Step> {
        if !input.holds(RECORD)? {
            return Ok(if input.bytes().is_empty() { Step::End } else { Step::Cut });
        }
        let field = |at: usize| number(&input.bytes()[at * 4..], self.is_big_endian);
        let (seconds, fraction, length, original_length) = (field(0), field(1), field(2) as usize, field(3));
        if length > RECORD_LIMIT {
            bail!("no record: it would hold {length} bytes");
        }
        if !input.holds(RECORD + length)? {
            return Ok(Step::Cut);
        }
        let timestamp_ns = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.unit_ns;
        Ok(Step::Frame { timestamp_ns, original_length, skip: RECORD, length, total: RECORD + length })
    }
}

/// The first four of `bytes` as a number.
pub(super) fn number(bytes: &[u8], is_big_endian: bool) -> u32 {
    let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
    if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}
