//! What a packet is to report, between the step of the long way that found it and the step that sends it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Event, Head, Rtt};
use crate::packet::Address;
use crate::rtt::{Leg, Sample};

/// What a packet is to report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Pending {
    pub(crate) now_ns: u64,
    /// The sample, when there is one.
    pub(crate) sample: Rtt,
    pub(crate) has_packet: u8,
    /// 1 when the sample is to be sent.
    pub(crate) is_due: u8,
    reserved: [u8; 6],
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

impl Match {
    /// Its event.
    #[inline(always)]
    fn event(&self, now_ns: u64) -> Rtt {
        let [(answerer, answerer_port), (asker, asker_port)] = self.ends;
        Rtt {
            head: Head { at_ns: now_ns, device: self.device, kind: Rtt::KIND as u16, tunnel: self.sample.tunnel },
            rtt_ns: self.sample.rtt_ns(),
            source: asker,
            destination: answerer,
            source_port: asker_port,
            destination_port: answerer_port,
            protocol: self.protocol,
            leg: self.leg as u8,
            method: self.sample.method as u8,
            reserved: 0,
        }
    }
}

impl Pending {
    /// Empties it.
    #[inline(always)]
    pub(crate) fn begin(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        self.has_packet = 0;
        self.is_due = 0;
    }

    /// When the packet was seen, in nanoseconds since boot.
    #[inline(always)]
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Says whether the packet itself is to be reported.
    #[inline(always)]
    pub(crate) fn is_reported(&self) -> bool {
        self.has_packet != 0
    }

    /// The packet itself is to be reported: a fragment, or an ICMP error.
    #[inline(always)]
    pub(crate) fn packet(&mut self) {
        self.has_packet = 1;
    }

    /// There is a sample, which is to be sent when it is due.
    #[inline(always)]
    pub(crate) fn sample(&mut self, found: &Match, is_due: bool) {
        self.sample = found.event(self.now_ns);
        self.is_due = u8::from(is_due);
    }
}
