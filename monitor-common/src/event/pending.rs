//! What a packet is to report, between the step that found it and the step that sends it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::packet::Address;
use crate::rtt::{Leg, Sample};

/// What a packet is to report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Pending {
    pub(crate) now_ns: u64,
    pub(crate) rtt_ns: u64,
    pub(crate) source: Address,
    pub(crate) destination: Address,
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) device: u32,
    pub(crate) tunnel: u16,
    pub(crate) protocol: u8,
    pub(crate) leg: u8,
    pub(crate) method: u8,
    pub(crate) has_sample: u8,
    pub(crate) has_packet: u8,
    reserved: u8,
}

/// A sample, with its answer.
pub(crate) struct Match {
    pub(crate) sample: Sample,
    pub(crate) leg: Leg,
    pub(crate) device: u32,
    pub(crate) protocol: u8,
    /// Source and destination of the answer.
    pub(crate) ends: [(Address, u16); 2],
}

impl Pending {
    /// Empties it.
    #[inline(always)]
    pub(crate) fn begin(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        self.has_sample = 0;
        self.has_packet = 0;
    }

    /// When the packet was seen, in nanoseconds since boot.
    #[inline(always)]
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Says whether there is anything to send.
    #[inline(always)]
    pub(crate) fn is_waiting(&self) -> bool {
        self.has_sample | self.has_packet != 0
    }

    /// The packet itself is to be reported: a fragment, or an ICMP error.
    #[inline(always)]
    pub(crate) fn packet(&mut self) {
        self.has_packet = 1;
    }

    /// A sample is to be reported, and nothing else.
    #[inline(always)]
    pub(crate) fn sample_alone(&mut self, found: &Match, now_ns: u64) {
        self.now_ns = now_ns;
        self.has_packet = 0;
        self.sample(found);
    }

    /// A sample is to be reported.
    #[inline(always)]
    pub(crate) fn sample(&mut self, found: &Match) {
        let [(answerer, answerer_port), (asker, asker_port)] = found.ends;
        self.rtt_ns = found.sample.rtt_ns;
        self.source = asker;
        self.destination = answerer;
        self.source_port = asker_port;
        self.destination_port = answerer_port;
        self.device = found.device;
        self.tunnel = found.sample.tunnel;
        self.protocol = found.protocol;
        self.leg = found.leg as u8;
        self.method = found.sample.method as u8;
        self.has_sample = 1;
    }
}
