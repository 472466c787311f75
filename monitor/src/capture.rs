//! Capture files: pcap and pcapng, with Ethernet frames, one record after another.
//!
//! The reader holds one record at a time, whatever the file's size. A file that ends in the middle of a record is no
//! error: the records before it count, and [`Capture::truncated_at`] says where the cut one begins. Bytes that cannot
//! be a record are an error that names the place.
//!
//! The two formats are decoded here because captures of tunnels need what the libraries refuse or ignore: frames that
//! were longer than the snap length, pcapng's timestamp resolution, option lists without an end mark.

mod input;
mod pcap;
mod pcapng;

use std::io::Read;

use anyhow::{Context, Result, bail};

use input::Input;

/// Link type of Ethernet, the only one that is read.
const ETHERNET: u32 = 1;

/// The longest record that is believed, in bytes; Linux's largest super-frame has half a mebibyte.
const RECORD_LIMIT: usize = 16 << 20;

/// One captured frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it was captured, in nanoseconds since 1970.
    pub timestamp_ns: u64,
    /// Length that it had on the wire, in bytes.
    pub original_length: u32,
    /// The bytes that were captured, from the Ethernet header on.
    pub bytes: &'a [u8],
}

/// A record, or what stands in its place, before its bytes are borrowed.
enum Step {
    /// A frame of `length` bytes that stand `skip` bytes into the next `total`.
    Frame { timestamp_ns: u64, original_length: u32, skip: usize, length: usize, total: usize },
    /// Something else of so many bytes.
    Skip(usize),
    /// The file ended at the end of a record.
    End,
    /// The file ended inside a record.
    Cut,
}

enum Format {
    Pcap(pcap::Header),
    Pcapng(pcapng::Section),
}

/// A capture file that is being read.
pub struct Capture<R> {
    input: Input<R>,
    format: Format,
    truncated_at: Option<u64>,
}

impl<R: Read> Capture<R> {
    /// Reads the file's header and tells the format by it.
    pub fn new(source: R) -> Result<Self> {
        let mut input = Input::new(source);
        if !input.holds(4)? {
            bail!("this is no capture file: it has {} bytes", input.bytes().len());
        }
        let magic = [input.bytes()[0], input.bytes()[1], input.bytes()[2], input.bytes()[3]];
        let format = if magic == pcapng::MAGIC {
            Format::Pcapng(pcapng::Section::default())
        } else {
            Format::Pcap(pcap::Header::read(magic, &mut input)?)
        };
        Ok(Self { input, format, truncated_at: None })
    }

    /// Reads the next frame; `None` at the end of the file, or where it was cut.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>> {
        while self.truncated_at.is_none() {
            let step = match &mut self.format {
                Format::Pcap(header) => header.step(&mut self.input),
                Format::Pcapng(section) => section.step(&mut self.input),
            };
            match step.with_context(|| format!("byte {}", self.input.position()))? {
                Step::Skip(total) => self.input.consume(total),
                Step::End => return Ok(None),
                Step::Cut => self.truncated_at = Some(self.input.position()),
                Step::Frame { timestamp_ns, original_length, skip, length, total } => {
                    let bytes = &self.input.take(total)[skip..skip + length];
                    return Ok(Some(Record { timestamp_ns, original_length, bytes }));
                }
            }
        }
        Ok(None)
    }

    /// Offset of the next record, in bytes.
    pub fn position(&self) -> u64 {
        self.input.position()
    }

    /// Where the record begins in whose middle the file ends, once that was found.
    pub fn truncated_at(&self) -> Option<u64> {
        self.truncated_at
    }
}

/// Refuses frames of another link layer.
fn check_link_type(link_type: u32) -> Result<()> {
    if link_type == ETHERNET {
        return Ok(());
    }
    let name = match link_type {
        0 => "BSD loopback",
        101 | 228 | 229 => "raw IP",
        105 => "IEEE 802.11",
        113 => "Linux cooked capture",
        127 => "IEEE 802.11 with radiotap",
        253 => "netlink",
        276 => "Linux cooked capture v2",
        _ => "unknown",
    };
    bail!("link type {link_type} ({name}) is not read, only Ethernet (1): capture on one device, not on `any`")
}

#[cfg(test)]
mod tests;
