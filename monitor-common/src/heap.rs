//! Tables in ordinary memory: for captures, for tests, for the kernel's answers to be compared with.

use std::collections::VecDeque;
use std::{vec, vec::Vec};

use crate::count::{Counters, DEVICES, Totals};
use crate::event::pending::Pending;
use crate::event::{Any, Event, KINDS};
use crate::flow::Bucket;
use crate::fragment;
use crate::histogram::{self, Histogram};
use crate::tables::Tables;
use crate::tunnel::Tunnel;
use crate::wire::geneve::{PORT, Ports};

/// Histograms that may be issued; they take memory when they are.
const HISTOGRAMS: u32 = 32_768;

/// Tables of one pipeline, as one processor has them.
#[derive(Clone, Debug)]
pub struct HeapTables {
    ports: Ports,
    seed: u64,
    tunnels: Vec<Tunnel>,
    counters: Vec<Counters>,
    histograms: Vec<Histogram>,
    issued: u32,
    flows: Vec<Bucket>,
    fragments: Vec<u64>,
    totals: Vec<Totals>,
    pending: Pending,
    limits_events: bool,
    /// One queue a kind, as the kernel has one ring a kind.
    events: [VecDeque<Any>; KINDS],
    capacity: usize,
}

impl Default for HeapTables {
    fn default() -> Self {
        Self::new(Ports::new(&[PORT]), 0, 1024, 4096, usize::MAX)
    }
}

impl HeapTables {
    /// Tables with `tunnels` slots and `buckets` of two flows, both powers of two, and room for `capacity` events
    /// of each kind.
    pub fn new(ports: Ports, seed: u64, tunnels: u32, buckets: u32, capacity: usize) -> Self {
        assert!(tunnels.is_power_of_two() && tunnels >= 2 && buckets.is_power_of_two(), "sizes are powers of two");
        Self {
            ports,
            seed,
            tunnels: vec![Tunnel::default(); tunnels as usize],
            counters: vec![Counters::default(); tunnels as usize],
            histograms: vec![Histogram::default(); histogram::RESERVED as usize],
            issued: 0,
            flows: vec![Bucket::default(); buckets as usize],
            fragments: vec![0; fragment::SLOTS as usize],
            totals: vec![Totals::default(); DEVICES as usize],
            pending: Pending::default(),
            limits_events: true,
            events: [const { VecDeque::new() }; KINDS],
            capacity,
        }
    }

    /// The same, with an event for all that is worth one.
    #[must_use]
    pub fn without_limits(self) -> Self {
        Self { limits_events: false, ..self }
    }

    /// Default tables with `buckets` of two flows.
    pub fn with_flows(buckets: u32) -> Self {
        Self::new(Ports::new(&[PORT]), 0, 1024, buckets, usize::MAX)
    }

    /// Takes the oldest event of the first kind that has any.
    pub fn next_event(&mut self) -> Option<Any> {
        self.events.iter_mut().find_map(VecDeque::pop_front)
    }

    /// The tunnels that have a slot, with the slot's number and what was counted.
    pub fn tracked(&self) -> impl Iterator<Item = (u16, &Tunnel, &Counters)> {
        let slots = self.tunnels.iter().zip(&self.counters).enumerate();
        slots.filter(|(_, (tunnel, _))| **tunnel != Tunnel::default()).map(|(at, (tunnel, counters))| {
            let slot = u16::try_from(at).expect("a table of tunnels has at most 2^15 slots");
            (slot, tunnel, counters)
        })
    }

    /// A histogram by the index that counters have.
    pub fn histogram_of(&self, index: u16) -> &Histogram {
        &self.histograms[usize::from(index)]
    }

    /// The tunnel in a slot, if it has one.
    pub fn tunnel_of(&self, slot: u16) -> Option<Tunnel> {
        self.tunnels.get(usize::from(slot)).copied().filter(|tunnel| *tunnel != Tunnel::default())
    }

    /// The totals of a device.
    pub fn totals_of(&self, device: u32) -> &Totals {
        &self.totals[(device % DEVICES) as usize]
    }
}

/// Equal when everything is that outlives a packet; what the last one was to report does not.
impl PartialEq for HeapTables {
    fn eq(&self, other: &Self) -> bool {
        self.tunnels == other.tunnels
            && self.counters == other.counters
            && self.histograms == other.histograms
            && self.flows == other.flows
            && self.fragments == other.fragments
            && self.totals == other.totals
            && self.events == other.events
    }
}

impl Tables for HeapTables {
    type Place = usize;

    fn ports(&self) -> Ports {
        self.ports
    }

    fn first_port(&self) -> u16 {
        self.ports.first().to_be()
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn flow_seed(&self) -> u64 {
        self.seed
    }

    fn pair_mask(&self) -> u32 {
        self.tunnels.len() as u32 / 2 - 1
    }

    fn flow_mask(&self) -> u32 {
        self.flows.len() as u32 - 1
    }

    fn limits_events(&self) -> bool {
        self.limits_events
    }

    fn totals(&mut self, device: u32) -> Option<&mut Totals> {
        self.totals.get_mut((device % DEVICES) as usize)
    }

    fn tunnel(&mut self, slot: u32) -> Option<&mut Tunnel> {
        self.tunnels.get_mut(slot as usize)
    }

    fn claim(&mut self, slot: u32) -> bool {
        self.tunnels[slot as usize] == Tunnel::default()
    }

    fn places(&mut self, pair: u32) -> Option<[usize; 2]> {
        let first = 2 * pair as usize;
        (first < self.counters.len()).then_some([first, first + 1])
    }

    fn at(&mut self, place: usize) -> &mut Counters {
        &mut self.counters[place]
    }

    fn histograms(&self) -> u32 {
        HISTOGRAMS
    }

    fn issued(&mut self) -> Option<&mut u32> {
        Some(&mut self.issued)
    }

    fn histogram(&mut self, index: u32) -> Option<&mut Histogram> {
        if self.histograms.len() <= index as usize {
            self.histograms.resize(index as usize + 1, Histogram::default());
        }
        self.histograms.get_mut(index as usize)
    }

    fn flows(&mut self, bucket: u32) -> Option<&mut Bucket> {
        self.flows.get_mut(bucket as usize)
    }

    fn fragment(&mut self, index: u32) -> Option<&mut u64> {
        self.fragments.get_mut(index as usize)
    }

    fn pending(&mut self) -> Option<&mut Pending> {
        Some(&mut self.pending)
    }

    fn emit<E: Event>(&mut self, make: impl FnOnce() -> E) -> bool {
        let events = &mut self.events[E::KIND as usize];
        if events.len() >= self.capacity {
            return false;
        }
        events.push_back(Any::read(make().as_bytes()).expect("an event reads back what it wrote"));
        true
    }
}
