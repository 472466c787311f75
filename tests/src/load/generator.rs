//! The generator: a program in C that `BPF_PROG_TEST_RUN` runs on live frames, which then travel like any others.

use anyhow::{Context, Result};
use aya::programs::{Program, Xdp};
use aya::util::KernelVersion;
use aya::{Ebpf, EbpfLoader, TestRun as _, TestRunAttrs, TestRunOptions};

use super::usage;
use super::wire::Wire;
use crate::bench::driver;
use crate::needs::{self, NETWORK};
use crate::tunmon;

const SOURCE: &str = concat!(include_str!("../../bpf/bpf.h"), include_str!("../../bpf/load.bpf.c"));

/// Frames that are sent before the receiving end gets the processor: as many as it takes in one go, and a quarter of what
/// a veth device can hold.
const BATCH: u32 = 64;

/// Compiles the generator and the empty programs.
pub fn object() -> Result<Vec<u8>> {
    driver::compile(SOURCE)
}

/// The wire and the generator's object; nothing, said loudly, where that cannot be.
pub fn ready() -> Result<Option<(Wire, Vec<u8>)>> {
    let mut reason = tunmon::missing(&[NETWORK, &["clang"]]);
    if KernelVersion::current()? < KernelVersion::new(5, 18, 0) {
        reason = reason.or(Some("live frames need Linux 5.18".to_owned()));
    }
    reason = reason.or_else(|| usage::two_processors().err().map(|error| error.to_string()));
    if let Some(reason) = reason {
        needs::skip(&reason);
        return Ok(None);
    }
    Ok(Some((Wire::create()?, object()?)))
}

/// How different the frames are: numbers of VNIs, peers and flows in each of them, as powers of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// VNIs, the first of which is 1.
    pub vni_bits: u32,
    /// Peers.
    pub peer_bits: u32,
    /// Flows of a VNI with a peer.
    pub flow_bits: u32,
}

impl Spread {
    /// Frames of one pass: one of each flow.
    pub fn frames(self) -> u32 {
        1 << (self.vni_bits + self.peer_bits + self.flow_bits)
    }
}

/// Where frames are rewritten, and what the addresses begin with: as in the program in C.
const VNI: usize = 46;
const CLIENT: [usize; 2] = [76, 80];
const PORT: [usize; 2] = [84, 86];
const TIMESTAMPS: usize = 108;

/// Rewrites the frame with this number as the program in C does, for one peer.
pub fn rewrite(frame: &mut [u8], number: u32, spread: Spread) {
    let (network, rest) = (number & ((1 << spread.vni_bits) - 1), number >> spread.vni_bits);
    let (flow, pass) = (rest & ((1 << spread.flow_bits) - 1), rest >> spread.flow_bits);
    let client = (0x0a00_0000 | network << 8 | flow >> 14).to_be_bytes();
    let port = (1024 + (flow & 0x3fff) * 3) as u16;
    let (own, other) = if pass & 1 == 0 { (0, 1) } else { (1, 0) };
    let mut write = |at: usize, bytes: &[u8]| frame[at..at + bytes.len()].copy_from_slice(bytes);
    write(VNI, &((network + 1) << 8).to_be_bytes());
    write(CLIENT[own], &client);
    write(CLIENT[other], &[11, 200, 0, 1]);
    write(PORT[own], &port.to_be_bytes());
    write(PORT[other], &443_u16.to_be_bytes());
    write(TIMESTAMPS, &(pass + 5000).to_be_bytes());
    write(TIMESTAMPS + 4, &(pass + 4999).to_be_bytes());
}

/// A loaded generator.
pub struct Generator {
    ebpf: Ebpf,
    frame: Vec<u8>,
}

impl Generator {
    /// Loads `object` to send `frame` over `wire`: always the same, or rewritten as `spread` says.
    pub fn load(object: &[u8], wire: &Wire, frame: Vec<u8>, spread: Option<Spread>) -> Result<Self> {
        let (device, rewrites) = (wire.near_index()?, u32::from(spread.is_some()));
        let Spread { vni_bits, peer_bits, flow_bits } = spread.unwrap_or_default();
        let mut ebpf = EbpfLoader::new()
            .override_global("DEVICE", &device, true)
            .override_global("REWRITES", &rewrites, true)
            .override_global("VNI_BITS", &vni_bits, true)
            .override_global("PEER_BITS", &peer_bits, true)
            .override_global("FLOW_BITS", &flow_bits, true)
            .load(object)
            .context("loading the generator")?;
        let program = ebpf.program_mut("generate").context("no generator")?;
        <&mut Xdp>::try_from(program)?.load().context("loading the generator")?;
        Ok(Self { ebpf, frame })
    }

    /// Sends frames, which the receiving end has got when this returns. The thread has to be on the wire ([`Wire::enter`]).
    pub fn send(&self, frames: u32) -> Result<()> {
        let program: &Program = self.ebpf.program("generate").context("no generator")?;
        let attributes = TestRunAttrs::new().xdp_live_frames(BATCH);
        let options =
            TestRunOptions { data_in: Some(&self.frame), repeat: frames, attrs: attributes, ..TestRunOptions::new() };
        <&Xdp>::try_from(program)?.test_run(options).context("BPF_PROG_TEST_RUN with live frames")?;
        Ok(())
    }
}
