//! What a packet is to report, between the step of the long way that found it and the step that sends it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::hole::Hole;
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
    /// What became of missing data, when `reports` says so.
    pub(crate) hole: Hole,
    /// MSS of the SYN, when `reports` says so.
    pub(crate) mss: u16,
    /// What is to be reported of the packet.
    reports: u8,
    /// 1 when the sample is to be sent.
    pub(crate) is_due: u8,
}

/// What a packet is reported for.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Cause {
    /// A fragment, or an ICMP error.
    Packet = 1,
    /// A step of data that was missing.
    Hole = 2,
    /// A SYN-ACK that answers a SYN.
    Handshake = 4,
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
            length: self.sample.length,
            protocol: self.protocol,
            way: self.leg as u8 | (self.sample.method as u8) << 1,
        }
    }
}

impl Pending {
    /// Empties it.
    #[inline(always)]
    pub(crate) fn begin(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        self.reports = 0;
        self.is_due = 0;
    }

    /// When the packet was seen, in nanoseconds since boot.
    #[inline(always)]
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Says whether the packet is to be reported for this cause.
    #[inline(always)]
    pub(crate) fn is_reported_for(&self, cause: Cause) -> bool {
        self.reports & cause as u8 != 0
    }

    /// The packet is to be reported for this cause.
    #[inline(always)]
    pub(crate) fn report(&mut self, cause: Cause) {
        self.reports |= cause as u8;
    }

    /// There is a sample, which is to be sent when it is due.
    #[inline(always)]
    pub(crate) fn sample(&mut self, found: &Match, is_due: bool) {
        self.sample = found.event(self.now_ns);
        self.is_due = u8::from(is_due);
    }
}
