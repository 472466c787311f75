//! A frame and the program that is to see it; what user space has to be told to see the same.

use std::sync::OnceLock;

use monitor::bpf::trial::Segments;
use monitor::bpf::{Kernel, Sizes};
use monitor_common::event::KINDS;
use monitor_common::frame::{Direction, Frame};
use tests::frame::parts::{ETHERTYPE_IPV4, Ipv4, UDP, ethernet};
use tests::needs;

use super::machine::pin;

/// A test run's frame comes in on `lo`.
pub(super) const DEVICE: u32 = 1;
/// The kernel refuses frames that have no Ethernet header.
pub(super) const SHORTEST: usize = 14;
/// TC's frames have to fit into a page, with what the kernel puts around them; this much does everywhere.
pub(super) const LONGEST_TC: usize = 3500;
/// XDP's frames have to fit into a page's rest and 17 further pages.
pub(super) const LONGEST_XDP: usize = 70_000;

/// The programs that devices call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Xdp,
    XdpFrags,
    TcRx,
    TcTx,
}

impl Program {
    pub(super) const ALL: [Self; 4] = [Self::Xdp, Self::XdpFrags, Self::TcRx, Self::TcTx];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Xdp => "tunmon_xdp",
            Self::XdpFrags => "tunmon_xdp_frag",
            Self::TcRx => "tunmon_tc_rx",
            Self::TcTx => "tunmon_tc_tx",
        }
    }

    pub(super) fn is_tc(self) -> bool {
        matches!(self, Self::TcRx | Self::TcTx)
    }

    /// What lets the packet pass: XDP_PASS, and −1 for TC.
    pub(super) fn pass(self) -> i32 {
        if self.is_tc() { -1 } else { 2 }
    }

    /// Whether a test run takes this frame. For TC the kernel wants the whole header of IP that an ethertype announces.
    pub(super) fn takes(self, bytes: &[u8]) -> bool {
        if !self.is_tc() {
            let longest = if first_buffer().is_some() { LONGEST_XDP } else { LONGEST_TC };
            return (SHORTEST..=longest).contains(&bytes.len());
        }
        let shortest = match bytes.get(12..SHORTEST) {
            Some([0x08, 0x00]) => SHORTEST + 20,
            Some([0x86, 0xdd]) => SHORTEST + 40,
            _ => SHORTEST,
        };
        (shortest..=LONGEST_TC).contains(&bytes.len())
    }

    fn direction(self) -> Direction {
        if self == Self::TcTx { Direction::Tx } else { Direction::Rx }
    }
}

/// A frame on its way through a program.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) program: Program,
    pub(super) bytes: Vec<u8>,
    /// For TC: how a super-frame will be cut.
    pub(super) segments: Option<Segments>,
}

impl Step {
    pub(super) fn new(program: Program, bytes: Vec<u8>) -> Self {
        Self { program, bytes, segments: None }
    }

    /// What user space is told of the frame, and the bytes that it may read.
    ///
    /// Of a frame in several buffers XDP reads the first; without `frags` that is all that it knows of.
    pub(super) fn seen(&self) -> (Frame, &[u8]) {
        let mut bytes = &self.bytes[..];
        if !self.program.is_tc() && bytes.len() > LONGEST_TC {
            let length = first_buffer().expect("a kernel that takes long frames has programs for them");
            bytes = &bytes[..bytes.len().min(length)];
        }
        let length = if self.program == Program::XdpFrags { self.bytes.len() } else { bytes.len() };
        let mut frame = Frame::new(DEVICE, self.program.direction(), length as u32);
        frame.captured = bytes.len() as u32;
        // The program asks for the number only when there is a size, as the kernel sets both or none.
        if let Some(segments) = self.segments.filter(|segments| segments.size != 0) {
            (frame.segment_size, frame.segments) = (segments.size, segments.count);
        }
        (frame, bytes)
    }
}

/// The programs that this kernel takes: packets in several buffers came with 5.18.
pub(super) fn programs() -> Vec<Program> {
    let has_frags = first_buffer().is_some();
    if !has_frags {
        needs::skip("this kernel has no XDP programs for several buffers, the others are compared");
    }
    Program::ALL.into_iter().filter(|program| has_frags || *program != Program::XdpFrags).collect()
}

/// Bytes that the first of several buffers holds in a test run: a page without the room around, whose size depends on
/// how the kernel was built. So a long frame is run, and the program says what it saw.
fn first_buffer() -> Option<usize> {
    static LENGTH: OnceLock<Option<usize>> = OnceLock::new();
    *LENGTH.get_or_init(|| {
        let (processor, kernel) = (pin(), smallest());
        // A fragment goes the long way, which leaves the packet to be read.
        let mut ip = Ipv4::new([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), UDP);
        ip.more_fragments = true;
        let bytes = ethernet(&[], ETHERTYPE_IPV4, &ip.over(&[0; 8000]));
        kernel.features.xdp_frags.then(|| {
            kernel.test_run(Program::XdpFrags.name(), &bytes, None).expect("XDP takes long frames");
            kernel.last_packet(processor).expect("map PACKET").frame.captured as usize
        })
    })
}

/// The programs with the smallest tables that there are.
pub(super) fn smallest() -> Kernel {
    let sizes = Sizes { tunnels: 2, histograms: 1, buckets: 1, ring_bytes: [4096; KINDS], processors: 1 };
    Kernel::load(&[6081], sizes, 0).expect("the programs can be loaded")
}
