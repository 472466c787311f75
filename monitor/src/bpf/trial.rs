//! Runs a loaded program on bytes, without a device and without a packet (BPF_PROG_TEST_RUN), and reads what it leaves.
//!
//! The frame comes in on `lo` (index 1). The kernel refuses frames of less than an Ethernet header, and for TC those
//! that do not fit into a page with their metadata; for XDP what does not fit into the first buffer goes into others.
//! Contract: nothing here is used by the daemon.

use anyhow::{Context, Result};
use aya::maps::PerCpuArray;
use aya::programs::{SchedClassifier, TestRun, TestRunOptions, Xdp};
use monitor_common::packet::Packet;

use super::Kernel;
use super::plain::Plain;

/// How a TC program's frame will be cut on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// Payload bytes of each segment.
    pub size: u32,
    /// Number of segments; 0 when the sender did not say.
    pub count: u32,
}

/// Length of `struct __sk_buff` up to and with `gso_size`, and where the two fields stand that are set (linux/bpf.h).
const CONTEXT: usize = 184;
const GSO_SEGS: usize = 164;
const GSO_SIZE: usize = 176;

impl Kernel {
    /// Runs the entry program `name` and the steps behind it once on a frame; returns its verdict.
    ///
    /// Of a TC program's context the kernel lets a caller set mark, priority, device, cb, time, wire length and the
    /// two fields of [`Segments`]; the fields of a VLAN tag in the metadata have to be 0.
    pub fn test_run(&self, name: &str, bytes: &[u8], segments: Option<Segments>) -> Result<i32> {
        let program = self.ebpf.program(name).with_context(|| format!("program {name} is not in the object"))?;
        let context = segments.map(context);
        let options = TestRunOptions {
            data_in: Some(bytes),
            ctx_in: context.as_ref().map(<[u8; CONTEXT]>::as_slice),
            ..TestRunOptions::default()
        };
        let run = match <&Xdp>::try_from(program) {
            Ok(program) => program.test_run(options),
            Err(_) => <&SchedClassifier>::try_from(program).and_then(|program| program.test_run(options)),
        };
        Ok(run.with_context(|| format!("running {name} on {} bytes", bytes.len()))?.return_value.cast_signed())
    }

    /// The packet that went the long way last on `processor`.
    pub fn last_packet(&self, processor: usize) -> Result<Packet> {
        let map = self.ebpf.map("PACKET").context("map PACKET")?;
        let packets = PerCpuArray::<_, Plain<Packet>>::try_from(map).context("map PACKET")?.get(&0, 0);
        let packets = packets.context("map PACKET")?;
        packets.get(processor).map(|packet| packet.0).with_context(|| format!("there is no processor {processor}"))
    }
}

fn context(segments: Segments) -> [u8; CONTEXT] {
    let mut context = [0; CONTEXT];
    context[GSO_SEGS..GSO_SEGS + 4].copy_from_slice(&segments.count.to_ne_bytes());
    context[GSO_SIZE..GSO_SIZE + 4].copy_from_slice(&segments.size.to_ne_bytes());
    context
}
