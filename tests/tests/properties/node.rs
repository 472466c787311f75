//! Our node in virtual time, with a pod that talks to another node's.
//!
//! ```text
//! pod A 10.0.0.1 - node 172.31.7.1 (ours)  ==== VNI 100 ====>  node 172.31.7.2 - pod B 10.0.0.2
//!                                          <=== VNI 200 =====
//! ```
//! What leaves our node is transmitted, what comes is received; A is the client.

use std::iter;
use std::net::Ipv4Addr;

use monitor_common::event::Any;
use monitor_common::frame::{Direction, Frame};
use monitor_common::heap::HeapTables;
use monitor_common::observe::observe;
use monitor_common::packet::Packet;
use monitor_common::rtt::{Leg, Method};
use tests::frame::parts::{
    ACK, ETHERTYPE_IPV4, GENEVE_PORT, Geneve, ICMP, Ipv4, SYN, TCP, Tcp, UDP, ethernet, icmp, timestamps, udp,
};

use Direction::{Rx, Tx};

/// One tick of the pipeline's clock.
pub(super) const TICK: u64 = 64;

/// A sample: the VNI of its tunnel, leg, method, time in ticks.
pub(super) type Sample = (u32, Leg, Method, u64);

/// Our node, watching.
pub(super) struct Node {
    pub(super) tables: HeapTables,
    vnis: [u32; 2],
}

impl Node {
    /// With the VNIs of what is received and transmitted.
    pub(super) fn new(rx_vni: u32, tx_vni: u32) -> Self {
        Self { tables: HeapTables::with_flows(64), vnis: [rx_vni, tx_vni] }
    }

    pub(super) fn sees(&mut self, direction: Direction, at_ns: u64, protocol: u8, payload: &[u8]) {
        let (ours, theirs) = (Ipv4Addr::new(172, 31, 7, 1), Ipv4Addr::new(172, 31, 7, 2));
        let (pod, other_pod) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let (outer, inner) = match direction {
            Tx => (Ipv4::new(ours, theirs, UDP), Ipv4::new(pod, other_pod, protocol)),
            Rx => (Ipv4::new(theirs, ours, UDP), Ipv4::new(other_pod, pod, protocol)),
        };
        let frame = ethernet(&[], ETHERTYPE_IPV4, &inner.over(payload));
        let datagram = udp(50000, GENEVE_PORT, &Geneve::new(self.vnis[direction.index()]).over(&frame));
        let bytes = ethernet(&[], ETHERTYPE_IPV4, &outer.over(&datagram));
        let frame = Frame::new(1, direction, bytes.len() as u32);
        observe(&bytes[..], &frame, &mut self.tables, &mut Packet::default(), || at_ns);
    }

    /// A segment with `flags`, sequence and acknowledgment number, TSval and TSecr, and so many bytes of payload.
    pub(super) fn tcp(&mut self, direction: Direction, at_ns: u64, flags: u16, numbers: [u32; 4], payload: usize) {
        let options = timestamps(numbers[2], numbers[3]);
        self.segment(direction, at_ns, flags, numbers, options, payload);
    }

    /// The same with these options; of the numbers only the first two are used.
    pub(super) fn segment(
        &mut self,
        direction: Direction,
        at_ns: u64,
        flags: u16,
        [sequence, acknowledgment, ..]: [u32; 4],
        options: Vec<u8>,
        payload: usize,
    ) {
        let (source, destination) = if direction == Tx { (40000, 443) } else { (443, 40000) };
        let header = Tcp { source, destination, sequence, acknowledgment, flags, options };
        self.sees(direction, at_ns, TCP, &header.over(&vec![0; payload]));
    }

    pub(super) fn echo(&mut self, direction: Direction, at_ns: u64, kind: u8, sequence: u32) {
        self.sees(direction, at_ns, ICMP, &icmp(kind, 0, 7 << 16 | sequence, &[0; 24]));
    }

    /// The events since the last call.
    pub(super) fn events(&mut self) -> Vec<Any> {
        iter::from_fn(|| self.tables.next_event()).collect()
    }

    /// The samples so far; of several in one place the sum of their times.
    pub(super) fn samples(&mut self) -> Vec<Sample> {
        let mut found = vec![];
        for (_, tunnel, counters) in self.tables.tracked() {
            for (leg, methods) in Leg::ALL.into_iter().zip(counters.matches) {
                for (method, matches) in Method::ALL.into_iter().zip(methods) {
                    if matches.count > 0 {
                        found.push((tunnel.vni(), leg, method, matches.sum_ns / TICK));
                    }
                }
            }
        }
        found.sort_unstable();
        found
    }
}

/// SYN, SYN-ACK, ACK without delays, so that the flow exists; timestamps are `tsval` and `tsval + 1000`.
pub(super) fn connect(node: &mut Node, at_ns: u64, tsval: u32) {
    let theirs = tsval.wrapping_add(1000);
    node.tcp(Tx, at_ns, SYN, [71000, 0, tsval, 0], 0);
    node.tcp(Rx, at_ns, SYN | ACK, [9000, 71001, theirs, tsval], 0);
    node.tcp(Tx, at_ns, ACK, [71001, 9001, tsval, theirs], 0);
}
