//! TCP (RFC 9293) and the options that tell about latency, size and loss (RFC 7323, RFC 9293 §3.7.1, RFC 2018).
//!
//! ```text
//! |          Source Port          |       Destination Port        |
//! |                        Sequence Number                        |
//! |                    Acknowledgment Number                      |
//! | Offset| Rsrvd |C|E|U|A|P|R|S|F|             Window            |
//! |           Checksum            |         Urgent Pointer        |
//!
//! timestamps: | kind 8 | length 10 | TSval (32) | TSecr (32) |
//! MSS:        | kind 2 | length 4  | MSS (16) |
//! SACK:       | kind 5 | length n  | left edge (32) | right edge (32) | ...
//! ```

use super::{Bytes, Window};

/// Length of the header without options, in bytes.
pub const LENGTH: usize = 20;
/// IP protocol number.
pub const PROTOCOL: u8 = 6;

/// Flag FIN.
pub const FIN: u16 = 0x01;
/// Flag SYN.
pub const SYN: u16 = 0x02;
/// Flag RST.
pub const RST: u16 = 0x04;
/// Flag ACK.
pub const ACK: u16 = 0x10;

/// First word of the options of Linux's segments: NOP, NOP, timestamps.
pub const TIMESTAMP_FIRST: u32 = 0x0101_080a;

/// Options that the walk looks at; 40 bytes hold no more that are worth it.
const MAX_OPTIONS: usize = 12;

/// A TCP header without its options.
#[derive(Clone, Copy)]
pub struct Tcp<W>(pub W);

impl<W: Window<LENGTH>> Tcp<W> {
    /// Source port.
    #[inline(always)]
    pub fn source_port(self) -> u16 {
        self.0.be16::<0>()
    }

    /// Destination port.
    #[inline(always)]
    pub fn destination_port(self) -> u16 {
        self.0.be16::<2>()
    }

    /// Sequence number.
    #[inline(always)]
    pub fn sequence(self) -> u32 {
        self.0.be32::<4>()
    }

    /// Acknowledgment number.
    #[inline(always)]
    pub fn acknowledgment(self) -> u32 {
        self.0.be32::<8>()
    }

    /// Header length with options, in bytes; under 20 the header is broken.
    #[inline(always)]
    pub fn header_length(self) -> usize {
        (self.0.u8::<12>() >> 4) as usize * 4
    }

    /// The reserved bits and the eight flags.
    #[inline(always)]
    pub fn flags(self) -> u16 {
        self.0.be16::<12>() & 0x0fff
    }
}

/// The options that matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Maximum segment size, in bytes; 0 when absent.
    pub mss: u16,
    /// TSval and TSecr.
    pub timestamps: Option<(u32, u32)>,
}

/// Walks the options that stand from `start` to `end` (offsets into `bytes`). An option that is cut or has an
/// impossible length ends the walk.
#[inline(always)]
pub fn options<B: Bytes>(bytes: B, start: usize, end: usize) -> Options {
    let (mut found, mut offset) = (Options::default(), start);
    for _ in 0..MAX_OPTIONS {
        // The shortest option worth finding has four bytes; two at least keep the verifier's bound usable.
        if offset + 4 > end {
            break;
        }
        let Some(option) = bytes.window::<4>(offset) else { break };
        let length = match (option.u8::<0>(), option.u8::<1>()) {
            (0, _) => break,
            (1, _) => 1,
            (_, 0 | 1) => break,
            (2, 4) => {
                found.mss = option.be16::<2>();
                4
            }
            (8, 10) if offset + 10 <= end && found.timestamps.is_none() => {
                if let Some(times) = bytes.window::<10>(offset) {
                    found.timestamps = Some((times.be32::<2>(), times.be32::<6>()));
                }
                10
            }
            (_, length) => usize::from(length),
        };
        // Settled on every way round the loop, or the compiler makes the offset a pointer that the verifier lost.
        offset = bytes.settle(offset + length);
    }
    found
}

/// Left edge of the first SACK block where it stands behind timestamps, each of them behind two NOPs (RFC 7323 A, RFC 2018
/// §3), or 0. Found on the walk it would cost the verifier half as much again.
#[inline(always)]
pub fn sack_left<B: Bytes>(bytes: B, start: usize, end: usize) -> u32 {
    const SACK: u32 = 0x01_01_05;
    if start + 24 > end {
        return 0;
    }
    let Some(window) = bytes.window::<20>(start) else { return 0 };
    let is_there = window.be32::<0>() == TIMESTAMP_FIRST && window.be32::<12>() >> 8 == SACK;
    if is_there { window.be32::<16>() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(bytes: &[u8]) -> Options {
        options(bytes, 0, bytes.len())
    }

    #[test]
    fn a_linux_syn_tells_mss_and_timestamps() {
        let found = walk(&[2, 4, 5, 0x78, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7]);
        assert_eq!(found, Options { mss: 1400, timestamps: Some((9, 0)) });
    }

    #[test]
    fn padding_before_the_timestamps_is_skipped() {
        let found = walk(&[1, 1, 1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0]);
        assert_eq!(found.timestamps, Some((5, 6)));
    }

    #[test]
    fn the_first_of_the_blocks_is_told() {
        let blocks = [0, 0, 9, 0, 0, 0, 9, 5, 0, 0, 10, 0, 0, 0, 10, 5];
        let bytes = [&[1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6, 1, 1, 5, 18][..], &blocks].concat();
        assert_eq!(sack_left(&bytes[..], 0, bytes.len()), 0x900);
        assert_eq!(walk(&bytes).timestamps, Some((5, 6)));
        assert_eq!(sack_left(&bytes[..], 0, 20), 0, "cut");
        assert_eq!(sack_left(&bytes[12..], 0, 20), 0, "without timestamps");
    }

    #[test]
    fn an_impossible_or_cut_option_ends_the_walk() {
        assert_eq!(walk(&[5, 0, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6]), Options::default());
        assert_eq!(walk(&[8, 10, 0, 0, 0, 5, 0, 0]), Options::default());
        assert_eq!(walk(&[0, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6]), Options::default());
    }
}
