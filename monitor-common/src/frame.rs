//! What is known about a frame besides its bytes: where it was seen, how long it is, what the network card will
//! still do to it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::wire::ethernet::TAG_LENGTH;

/// What the slot numbers in packets, flows and events say when the tunnel has no slot.
pub const UNTRACKED: u16 = u16::MAX;

/// Which way a packet goes, seen from this node's device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    /// Receive.
    Rx = 0,
    /// Transmit.
    Tx = 1,
}

impl Direction {
    /// Position in arrays of two.
    #[inline(always)]
    pub fn index(self) -> usize {
        self as usize & 1
    }

    /// The direction at `index & 1`.
    #[inline(always)]
    pub fn from_index(index: usize) -> Self {
        if index & 1 == 0 { Self::Rx } else { Self::Tx }
    }
}

/// A frame without its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Frame {
    /// Length of the bytes, without FCS and without a tag that stands in the metadata.
    pub length: u32,
    /// Bytes that can be read; less than `length` in a capture that was cut.
    pub captured: u32,
    /// Index of the device.
    pub device: u32,
    /// Payload bytes of each segment that this frame will be cut into; 0 when it goes out as it is.
    pub segment_size: u32,
    /// Number of those segments; 0 when the sender did not say.
    pub segments: u32,
    /// Tag that stands in the metadata and not in the bytes (TCI with bit 16 set), or 0.
    pub tag: u32,
    direction: u32,
}

impl Frame {
    /// A frame of `length` bytes, all of them readable, that nothing will cut.
    #[inline(always)]
    pub fn new(device: u32, direction: Direction, length: u32) -> Self {
        Self {
            length,
            captured: length,
            device,
            segment_size: 0,
            segments: 0,
            tag: 0,
            direction: direction.index() as u32,
        }
    }

    /// Which way the frame goes.
    #[inline(always)]
    pub fn direction(&self) -> Direction {
        Direction::from_index(self.direction as usize)
    }

    /// Length with the tag that stands in the metadata, in bytes.
    #[inline(always)]
    pub fn on_wire_length(&self) -> u32 {
        if self.tag == 0 { self.length } else { self.length + TAG_LENGTH as u32 }
    }

    /// Packets on the wire, as far as the sender said: enough for packets whose headers are not read.
    #[inline(always)]
    pub fn packets(&self) -> u32 {
        if self.segments == 0 { 1 } else { self.segments }
    }

    /// Packets and bytes on the wire when each of them begins with `headers` bytes of this frame.
    ///
    /// The kernel sends a super-frame (GSO) as segments that repeat the headers.
    #[inline(always)]
    pub fn on_wire(&self, headers: u32) -> Wire {
        let length = self.on_wire_length();
        let tag = length - self.length;
        if self.segment_size == 0 {
            return Wire { packets: 1, bytes: u64::from(length), longest: length };
        }
        let headers = headers + tag;
        let payload = length.saturating_sub(headers);
        let packets = if self.segments != 0 { self.segments } else { payload.div_ceil(self.segment_size) };
        let packets = if packets == 0 { 1 } else { packets };
        let longest = if payload > self.segment_size { headers + self.segment_size } else { length };
        Wire { packets, bytes: u64::from(length) + u64::from(packets - 1) * u64::from(headers), longest }
    }
}

/// What a frame is on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// Number of packets.
    pub packets: u32,
    /// Bytes of all of them, layer 2 without FCS.
    pub bytes: u64,
    /// Bytes of the longest one.
    pub longest: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_super_frame_counts_as_its_segments() {
        let frame = Frame { segment_size: 1000, segments: 3, ..Frame::new(1, Direction::Tx, 100 + 2500) };
        assert_eq!(frame.on_wire(100), Wire { packets: 3, bytes: 2800, longest: 1100 });
        let unsaid = Frame { segments: 0, ..frame };
        assert_eq!(unsaid.on_wire(100), frame.on_wire(100));
    }

    #[test]
    fn a_tag_in_the_metadata_is_on_the_wire() {
        let frame = Frame { tag: 0x1_0064, ..Frame::new(1, Direction::Tx, 60) };
        assert_eq!(frame.on_wire(54).bytes, 64);
        let cut = Frame { segment_size: 1000, segments: 2, length: 100 + 2000, ..frame };
        assert_eq!(cut.on_wire(100).bytes, 2 * (100 + 1000 + 4));
    }

    #[test]
    fn a_plain_frame_counts_as_one() {
        let frame = Frame::new(1, Direction::Rx, 60);
        assert_eq!(frame.on_wire(54), Wire { packets: 1, bytes: 60, longest: 60 });
    }
}
