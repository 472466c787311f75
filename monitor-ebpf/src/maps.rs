//! All maps and settings, private, behind the verbs of [`Tables`].
//!
//! Sizes given here are the smallest; user space sets the real ones at load time, together with the masks.

use core::ptr::{self, NonNull};

use aya_ebpf::bindings::{BPF_NOEXIST, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray, ProgramArray, RingBuf};
use monitor_common::count::{Counters, DEVICES, Totals};
use monitor_common::event::pending::Pending;
use monitor_common::event::{Event, Kind};
use monitor_common::flow::Bucket;
use monitor_common::fragment;
use monitor_common::histogram::{Histogram, RESERVED};
use monitor_common::packet::Packet;
use monitor_common::tables::Tables;
use monitor_common::tunnel::Tunnel;
use monitor_common::wire::FAR;
use monitor_common::wire::geneve::Ports;

// Settings, written by user space before the programs are loaded. They are read as volatile, because the compiler
// would take the values that stand here for constants.
#[unsafe(no_mangle)]
static PORTS: u64 = 0;
#[unsafe(no_mangle)]
static FIRST_PORT: u16 = 0;
#[unsafe(no_mangle)]
static SEED: u64 = 0;
#[unsafe(no_mangle)]
static PAIR_MASK: u32 = 0;
#[unsafe(no_mangle)]
static FLOW_MASK: u32 = 0;
#[unsafe(no_mangle)]
static HISTOGRAMS_MAX: u32 = 0;
#[unsafe(no_mangle)]
static UNLIMITED: u32 = 0;

/// User space changes it when everything is attached.
#[unsafe(no_mangle)]
static mut FLOW_SEED: u64 = 1;

#[map]
static TUNNELS: Array<Tunnel> = Array::with_max_entries(2, 0);
#[map]
static CLAIMS: HashMap<u32, u8> = HashMap::with_max_entries(2, 0);
#[map]
static COUNTERS: PerCpuArray<[Counters; 2]> = PerCpuArray::with_max_entries(1, 0);
#[map]
static HISTOGRAMS: PerCpuArray<Histogram> = PerCpuArray::with_max_entries(RESERVED, 0);
#[map]
static ISSUED: PerCpuArray<u32> = PerCpuArray::with_max_entries(1, 0);
#[map]
static FLOWS: Array<Bucket> = Array::with_max_entries(1, 0);
#[map]
static FRAGMENTS: Array<u64> = Array::with_max_entries(fragment::SLOTS, 0);
#[map]
static TOTALS: PerCpuArray<Totals> = PerCpuArray::with_max_entries(DEVICES, 0);

// A ring for each kind of event, so that no flood of one kind takes the room of another.
#[map]
static RTT_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
static FRAGMENT_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
static ICMP_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
static RESEND_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
static SYN_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);
#[map]
static DROP_EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

/// The packet between the steps of the long way.
#[map]
static PACKET: PerCpuArray<Packet> = PerCpuArray::with_max_entries(1, 0);
#[map]
static PENDING: PerCpuArray<Pending> = PerCpuArray::with_max_entries(1, 0);
#[map]
static SCRATCH: PerCpuArray<Scratch> = PerCpuArray::with_max_entries(1, 0);

/// The programs of the long way, per hook.
#[map]
pub(crate) static XDP_STEPS: ProgramArray = ProgramArray::with_max_entries(STEPS, 0);
#[map]
pub(crate) static XDP_FRAGS_STEPS: ProgramArray = ProgramArray::with_max_entries(STEPS, 0);
#[map]
pub(crate) static TC_STEPS: ProgramArray = ProgramArray::with_max_entries(STEPS, 0);

/// Step: parse the underlay packet; of a received one, where TC tells the directions apart.
pub(crate) const OUTER: u32 = 0;
/// Step: parse what is in the tunnel.
pub(crate) const INNER: u32 = 1;
/// Step: account for the packet.
pub(crate) const ACCOUNT: u32 = 2;
/// Step: find its round trip.
pub(crate) const ROUND_TRIP: u32 = 3;
/// Step: send the events.
pub(crate) const REPORT: u32 = 4;
/// Step: parse an underlay packet that TC saw on its way out.
pub(crate) const OUTER_TX: u32 = 5;
/// Step: the second part of the short way, for a received packet where TC tells the directions apart.
pub(crate) const V6: u32 = 6;
/// Step: the same for a packet that TC saw on its way out.
pub(crate) const V6_TX: u32 = 7;
/// Step: count a sample.
pub(crate) const MATCH: u32 = 8;
/// Step: look for missing data.
pub(crate) const LOSS: u32 = 9;
/// Step: send what the packet says about its flow.
pub(crate) const REPORT_FLOW: u32 = 10;
const STEPS: u32 = 11;

/// Memory of one processor that the stack has no room for.
///
/// The copy of a frame's headers is longer than the parser's reach: the verifier must see that a header which begins
/// at the farthest offset still lies in it, wherever the compiler moves the comparison that rules this out.
#[repr(C)]
pub(crate) struct Scratch {
    pub(crate) spare: u64,
    pub(crate) bytes: [u8; COPY],
}

/// Length of the copy of a frame's headers.
pub(crate) const COPY: usize = FAR + 1 + 64;

/// This processor's scratch memory.
#[inline(always)]
pub(crate) fn scratch() -> Option<*mut Scratch> {
    SCRATCH.get_ptr_mut(0)
}

/// This processor's parsed packet.
#[inline(always)]
pub(crate) fn packet() -> Option<&'static mut Packet> {
    // SAFETY: the value belongs to this processor, and a program runs to its end before the next one begins there.
    PACKET.get_ptr_mut(0).map(|packet| unsafe { &mut *packet })
}

/// The ring of a kind. The kind is a constant where this is called, so that nothing is left to decide at run time.
#[inline(always)]
fn ring(kind: Kind) -> &'static RingBuf {
    match kind {
        Kind::Rtt => &RTT_EVENTS,
        Kind::Fragment => &FRAGMENT_EVENTS,
        Kind::IcmpError => &ICMP_EVENTS,
        Kind::Retransmit => &RESEND_EVENTS,
        Kind::Handshake => &SYN_EVENTS,
        Kind::Drop => &DROP_EVENTS,
    }
}

/// Nanoseconds since boot, suspended time included.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: the helper takes nothing and returns a number.
    unsafe { bpf_ktime_get_boot_ns() }
}

#[inline(always)]
pub(crate) fn setting<T>(value: &'static T) -> T {
    // SAFETY: a reference to a static is valid to read; `T` is an integer in a read-only map.
    unsafe { ptr::read_volatile(value) }
}

/// The kernel's maps.
pub(crate) struct Maps;

/// A tunnel's counters, found in the map.
#[derive(Clone, Copy)]
pub(crate) struct Place(NonNull<Counters>);

impl Tables for Maps {
    type Place = Place;

    #[inline(always)]
    fn ports(&self) -> Ports {
        Ports(setting(&PORTS))
    }

    #[inline(always)]
    fn first_port(&self) -> u16 {
        setting(&FIRST_PORT)
    }

    #[inline(always)]
    fn seed(&self) -> u64 {
        setting(&SEED)
    }

    #[inline(always)]
    fn flow_seed(&self) -> u64 {
        // SAFETY: an integer that user space writes, read as one word.
        unsafe { ptr::read_volatile(&raw const FLOW_SEED) }
    }

    #[inline(always)]
    fn pair_mask(&self) -> u32 {
        setting(&PAIR_MASK)
    }

    #[inline(always)]
    fn flow_mask(&self) -> u32 {
        setting(&FLOW_MASK)
    }

    #[inline(always)]
    fn limits_events(&self) -> bool {
        setting(&UNLIMITED) == 0
    }

    #[inline(always)]
    fn totals(&mut self, device: u32) -> Option<&mut Totals> {
        // SAFETY: as for `packet`.
        TOTALS.get_ptr_mut(device & (DEVICES - 1)).map(|totals| unsafe { &mut *totals })
    }

    #[inline(always)]
    fn tunnel(&mut self, slot: u32) -> Option<&mut Tunnel> {
        // SAFETY: the value lives as long as the map. Another processor may write to it: a slot's key is written once,
        // and a key that is read half-written matches no packet.
        TUNNELS.get_ptr_mut(slot).map(|tunnel| unsafe { &mut *tunnel })
    }

    #[inline(always)]
    fn claim(&mut self, slot: u32) -> bool {
        CLAIMS.insert(slot, 1, u64::from(BPF_NOEXIST)).is_ok()
    }

    #[inline(always)]
    fn places(&mut self, pair: u32) -> Option<[Place; 2]> {
        let first: NonNull<Counters> = NonNull::new(COUNTERS.get_ptr_mut(pair)?)?.cast();
        // SAFETY: the value holds two of them.
        Some([Place(first), Place(unsafe { first.add(1) })])
    }

    #[inline(always)]
    fn at(&mut self, place: Place) -> &mut Counters {
        // SAFETY: a place comes from a look-up, and values of an array are there as long as the map; for the rest as for
        // `packet`.
        unsafe { &mut *place.0.as_ptr() }
    }

    #[inline(always)]
    fn histograms(&self) -> u32 {
        setting(&HISTOGRAMS_MAX)
    }

    #[inline(always)]
    fn issued(&mut self) -> Option<&mut u32> {
        // SAFETY: as for `packet`.
        ISSUED.get_ptr_mut(0).map(|issued| unsafe { &mut *issued })
    }

    #[inline(always)]
    fn histogram(&mut self, index: u32) -> Option<&mut Histogram> {
        // SAFETY: as for `packet`.
        HISTOGRAMS.get_ptr_mut(index).map(|histogram| unsafe { &mut *histogram })
    }

    #[inline(always)]
    fn flows(&mut self, bucket: u32) -> Option<&mut Bucket> {
        // SAFETY: the value lives as long as the map. Another processor may write to it: what belongs together is one
        // word, and a lost race costs a sample.
        FLOWS.get_ptr_mut(bucket).map(|bucket| unsafe { &mut *bucket })
    }

    #[inline(always)]
    fn fragment(&mut self, index: u32) -> Option<&mut u64> {
        // SAFETY: as for `flows`.
        FRAGMENTS.get_ptr_mut(index).map(|word| unsafe { &mut *word })
    }

    #[inline(always)]
    fn pending(&mut self) -> Option<&mut Pending> {
        // SAFETY: as for `packet`.
        PENDING.get_ptr_mut(0).map(|pending| unsafe { &mut *pending })
    }

    #[inline(always)]
    fn emit<E: Event>(&mut self, make: impl FnOnce() -> E) -> bool {
        let Some(mut entry) = ring(E::KIND).reserve::<E>(0) else { return false };
        entry.write(make());
        // The reader looks at the ring by a timer: a wake-up costs microseconds, and one per event is a load.
        entry.submit(u64::from(BPF_RB_NO_WAKEUP));
        true
    }
}
