//! The two sides: the loaded programs, and the same pipeline over tables in memory.
//!
//! Time is the one thing that they cannot share: user space is told the moment just before a run, the program reads the
//! clock a microsecond later. So every decision that a time takes part in is either the same for both, or known not to be:
//!
//! * Which of two flows was quiet for longer: a run takes many ticks of 64 ns, so both sides have the frames in one order.
//! * A lost echo request (1 s), a forgotten first fragment (30 s), a flow's event period that comes round again (2 s): a
//!   pair is given up before the first of these can pass ([`Answer::Late`], [`Pair::is_old`]).
//! * Rate limits: 16 events of a kind in 2^20 ns, one of a flow in 2^23 ns. A run is not begun close to the end of a
//!   period. When it is held up and crosses one all the same, events are uncertain until a period of 2^23 ns has begun
//!   that nothing was sent in; from there both sides' limits are equal again.

use std::time::Duration;

use monitor::bpf::events::Events;
use monitor::bpf::{Kernel, Sizes};
use monitor::counts::Counts;
use monitor_common::event::{Any, KINDS};
use monitor_common::heap::HeapTables;
use monitor_common::observe::observe;
use monitor_common::packet::Packet;
use monitor_common::rtt::ticks;
use monitor_common::wire::geneve::Ports;

use super::compare::{self, Compared};
use super::machine::{boot_ns, pin};
use super::step::{DEVICE, Step};

const PORTS: [u16; 2] = [6081, 4789];
/// A pair is not begun anything new with after this time, and proves nothing after twice that.
const YOUTH: Duration = Duration::from_millis(450);

/// Sizes of the tables, and the seed of their hashes on both sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) tunnels: u32,
    pub(super) buckets: u32,
    pub(super) seed: u64,
    /// Whether events are read after each frame; else the kernel's rings are of one page and run full.
    pub(super) reads_events: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { tunnels: 256, buckets: 256, seed: 0x5eed, reads_events: true }
    }
}

/// What showing a frame to both sides came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The answers were the same, so many events included.
    Same { events: usize, went_the_long_way: bool },
    /// The machine stood still for so long that times may have decided differently.
    Late,
}

/// Both sides.
pub(super) struct Pair {
    kernel: Kernel,
    processor: usize,
    ring: Events,
    tables: HeapTables,
    scratch: Packet,
    reads_events: bool,
    started_ns: u64,
    last_ns: u64,
    limits: Limits,
}

impl Pair {
    pub(super) fn new(settings: Settings) -> Self {
        Self::with_seeds(settings, settings.seed)
    }

    /// With another seed in user space.
    pub(super) fn with_seeds(settings: Settings, user_seed: u64) -> Self {
        let Settings { tunnels, buckets, seed, reads_events } = settings;
        let ring_bytes = [if reads_events { 1 << 20 } else { 4096 }; KINDS];
        let processor = pin();
        let sizes = Sizes { tunnels, histograms: tunnels, buckets, ring_bytes, processors: 1 };
        let mut kernel = Kernel::load(&PORTS, sizes, seed).expect("the programs can be loaded");
        let ring = kernel.take_events().expect("nobody has taken the rings");
        let tables = HeapTables::new(Ports::new(&PORTS), user_seed, tunnels, buckets, usize::MAX);
        let (scratch, limits, now) = (Packet::default(), Limits::default(), boot_ns());
        Self { kernel, processor, ring, tables, scratch, reads_events, started_ns: now, last_ns: now, limits }
    }

    /// Shows one frame to both sides and compares what they parsed and sent.
    pub(super) fn show(&mut self, step: &Step) -> Result<Answer, String> {
        self.show_both(step, step)
    }

    /// As [`Pair::show`], but each side is shown a frame of its own.
    pub(super) fn show_both(&mut self, to_kernel: &Step, to_user: &Step) -> Result<Answer, String> {
        let before = self.limits.wait();
        assert!(ticks(before) != ticks(self.last_ns), "two frames in one tick");
        let name = to_kernel.program.name();
        let verdict = self.kernel.test_run(name, &to_kernel.bytes, to_kernel.segments).map_err(|e| format!("{e:#}"))?;
        let after = boot_ns();
        self.last_ns = before;
        if after - self.started_ns > 2 * YOUTH.as_nanos() as u64 {
            return Ok(Answer::Late);
        }
        if verdict != to_kernel.program.pass() {
            return Err(format!("{name} decides {verdict}"));
        }
        let (frame, bytes) = to_user.seen();
        let went_the_long_way = observe(bytes, &frame, &mut self.tables, &mut self.scratch, || before);
        // The short way leaves the packet of an earlier frame where it is, on both sides.
        compare::packets(&self.kernel.last_packet(self.processor).expect("map PACKET"), &self.scratch)?;
        let is_certain = self.limits.are_equal(before, after);
        let events = if self.reads_events { self.events(is_certain)? } else { 0 };
        Ok(Answer::Same { events, went_the_long_way })
    }

    fn events(&mut self, is_certain: bool) -> Result<usize, String> {
        let (mut kernel, mut user) = (Vec::<Any>::new(), Vec::new());
        self.ring.drain(|event| kernel.push(*event));
        user.extend(std::iter::from_fn(|| self.tables.next_event()));
        compare::events(&kernel, &user, is_certain)
    }

    /// Compares all counts.
    pub(super) fn compare_counts(&self) -> Compared {
        compare::counts(&self.kernel_counts(), &Counts::of(&self.tables, DEVICE))
    }

    pub(super) fn kernel_counts(&self) -> Counts {
        self.kernel.counts(DEVICE).expect("the maps can be read")
    }

    /// Says whether it is time for a new pair.
    pub(super) fn is_old(&self) -> bool {
        boot_ns() - self.started_ns > YOUTH.as_nanos() as u64
    }
}

/// Whether the rate limits of both sides are in one state.
#[derive(Default)]
struct Limits {
    uncertain_until_ns: u64,
}

impl Limits {
    /// Length of the periods: of a kind's limit, and of a flow's. The longer one holds eight of the others.
    const KIND: u32 = 20;
    const FLOW: u32 = 23;
    /// What a run may take, and by how much the kernel's fast clock may differ from the one that is read here.
    const RUN_NS: u64 = 30_000;
    const SKEW_NS: u64 = 1000;

    /// Waits until a run that begins now will most likely end in the same period; returns the time.
    fn wait(&self) -> u64 {
        loop {
            let now = boot_ns();
            let into = now & ((1 << Self::KIND) - 1);
            if into > Self::SKEW_NS && into < (1 << Self::KIND) - Self::RUN_NS {
                return now;
            }
        }
    }

    /// Says whether the limits decided the same for a run between these times.
    fn are_equal(&mut self, before: u64, after: u64) -> bool {
        let after = after + Self::SKEW_NS;
        let is_in_one_period = (before - Self::SKEW_NS) >> Self::KIND == after >> Self::KIND;
        let were_equal = before >= self.uncertain_until_ns;
        if !is_in_one_period {
            self.uncertain_until_ns = ((after >> Self::FLOW) + 1) << Self::FLOW;
        }
        is_in_one_period && were_equal
    }
}
