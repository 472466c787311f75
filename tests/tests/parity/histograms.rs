//! The kernel's histograms and those that hdrhistogram makes of the events hold the same times.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram as Recorded;
use monitor::bpf::load::random_seed;
use monitor::bpf::{Kernel, OBJECT, Sizes};
use monitor::counts::Counts;
use monitor_common::event::Any;
use monitor_common::histogram::{BUCKETS, LIMITS};
use monitor_common::rtt::{Leg, Method, TICK_NS};
use tests::frame::Rng;
use tests::frame::parts::{
    ACK, ETHERTYPE_IPV4, GENEVE_PORT, Geneve, ICMP, Ipv4, TCP, Tcp, UDP, ethernet, icmp, timestamps, udp,
};

use super::can_load;
use super::step::DEVICE;

const EXCHANGES: u32 = 4000;

/// What waits and what answers: a packet that goes out, and one that comes in.
fn exchange(number: u32, is_echo: bool) -> [Vec<u8>; 2] {
    let [node, pod] = [172, 10].map(|net| move |host| Ipv4Addr::new(net, 31, 7, host));
    let over = |from, to, protocol, payload: &[u8]| {
        let inner = Ipv4::new(pod(from), pod(to), protocol).over(payload);
        let tunnel = Geneve::new(100).over(&ethernet(&[], ETHERTYPE_IPV4, &inner));
        ethernet(&[], ETHERTYPE_IPV4, &Ipv4::new(node(from), node(to), UDP).over(&udp(50_000, GENEVE_PORT, &tunnel)))
    };
    if is_echo {
        let message = |kind| icmp(kind, 0, 7 << 16 | number, &[0; 24]);
        return [over(1, 2, ICMP, &message(8)), over(2, 1, ICMP, &message(0))];
    }
    let (tsval, sequence) = (5000 + number, number * 64);
    let segment = |ports: [u16; 2], numbers: [u32; 2], options| Tcp {
        source: ports[0],
        destination: ports[1],
        sequence: numbers[0],
        acknowledgment: numbers[1],
        flags: ACK,
        options,
    };
    let out = segment([50_000, 443], [sequence, 1], timestamps(tsval, 1)).over(&[0x5a; 64]);
    let back = segment([443, 50_000], [1, sequence + 64], timestamps(1, tsval)).over(&[]);
    [over(1, 2, TCP, &out), over(2, 1, TCP, &back)]
}

fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {}
}

/// The buckets by leg and method, over all tunnels.
fn in_kernel(counts: &Counts) -> BTreeMap<(Leg, Method), [u64; BUCKETS]> {
    let mut sums = BTreeMap::new();
    for ((_, leg, method), histogram) in &counts.distributions {
        let sum = sums.entry((*leg, *method)).or_insert([0; BUCKETS]);
        sum.iter_mut().zip(&histogram.buckets).for_each(|(sum, count)| *sum += count);
    }
    sums
}

/// The same buckets, filled with what a recorder has between two limits.
fn recorded(histogram: &Recorded<u64>) -> [u64; BUCKETS] {
    let mut below = 0;
    let mut upto = |limit| {
        let count = histogram.count_between(0, limit) - below;
        below += count;
        count
    };
    std::array::from_fn(|at| upto(LIMITS.get(at).map_or(u64::from(u32::MAX), |limit| u64::from(*limit))))
}

#[test]
fn every_bucket_holds_what_hdrhistogram_recorded_of_the_events() {
    if !can_load() {
        return;
    }
    let sizes = Sizes::new(16, 16, 1024, 1);
    let mut kernel = Kernel::load_object(OBJECT, &[6081], sizes, random_seed().unwrap(), false).unwrap();
    let mut events = kernel.take_events().unwrap();
    // Five digits hold every time of up to 2^17 ticks (8 ms) exactly.
    let mut by_method = BTreeMap::<(Leg, Method), Recorded<u64>>::new();
    let mut rng = Rng::new(11);
    for number in 1..=EXCHANGES {
        for is_echo in [false, true] {
            let [out, back] = exchange(number, is_echo);
            kernel.test_run("tunmon_tc_tx", &out, None).unwrap();
            spin(Duration::from_nanos(1 << rng.below(18)));
            kernel.test_run("tunmon_xdp", &back, None).unwrap();
        }
        events.drain(|event| {
            let Any::Rtt(sample) = event else { panic!("{event:?}") };
            let new = || Recorded::new(5).unwrap();
            by_method
                .entry((sample.leg(), sample.method()))
                .or_insert_with(new)
                .record(sample.rtt_ns / TICK_NS)
                .unwrap();
        });
    }
    let counts = kernel.counts_with_histograms(DEVICE).unwrap();
    let kernel = in_kernel(&counts);
    assert_eq!(kernel.keys().collect::<Vec<_>>(), by_method.keys().collect::<Vec<_>>());
    assert_eq!(kernel.len(), 2, "by echo and by timestamps: {:?}", kernel.keys());
    for (key, histogram) in &by_method {
        assert_eq!(histogram.len(), u64::from(EXCHANGES), "{key:?}");
        assert_eq!(kernel[key], recorded(histogram), "{key:?}");
        assert!(kernel[key].iter().filter(|count| **count != 0).count() > 10, "{key:?}: {:?}", kernel[key]);
    }
    assert_eq!(counts.issued.issued, 2);
}

#[test]
fn what_finds_no_histogram_left_is_counted_all_the_same() {
    if !can_load() {
        return;
    }
    let sizes = Sizes { histograms: 1, ..Sizes::new(16, 16, 1024, 1) };
    let kernel = Kernel::load(&[6081], sizes, random_seed().unwrap()).unwrap();
    for number in 1..=20 {
        for is_echo in [false, true] {
            let [out, back] = exchange(number, is_echo);
            kernel.test_run("tunmon_tc_tx", &out, None).unwrap();
            kernel.test_run("tunmon_xdp", &back, None).unwrap();
        }
    }
    let counts = kernel.counts_with_histograms(DEVICE).unwrap();
    let [tracked] = &counts.tunnels[..] else { panic!("{:?}", counts.tunnels) };
    let matches = tracked.counters.matches[Leg::Remote as usize];
    assert_eq!((matches[Method::Timestamp as usize].count, matches[Method::Echo as usize].count), (20, 20));
    let own: u64 = in_kernel(&counts).values().flatten().sum();
    assert_eq!((own, counts.issued.shared_samples, counts.issued.issued), (20, 20, 1));
}
