//! What was stamped while only one direction was seen is never matched: its true answer may have passed unseen.

use std::net::Ipv4Addr;

use monitor::bpf::load::random_seed;
use monitor::bpf::{Kernel, Sizes};
use tests::frame::parts::{ETHERTYPE_IPV4, GENEVE_PORT, Geneve, ICMP, Ipv4, UDP, ethernet, icmp, udp};

use super::can_load;
use super::step::DEVICE;

/// An echo message inside a tunnel, from the pod and node with number `from` to those with number `to`.
fn echo(kind: u8, from: u8, to: u8) -> Vec<u8> {
    let [node, pod] = [172, 10].map(|net| move |host| Ipv4Addr::new(net, 31, 7, host));
    let inner = Ipv4::new(pod(from), pod(to), ICMP).over(&icmp(kind, 0, 7 << 16 | 1, &[0; 24]));
    let tunnel = Geneve::new(100).over(&ethernet(&[], ETHERTYPE_IPV4, &inner));
    ethernet(&[], ETHERTYPE_IPV4, &Ipv4::new(node(from), node(to), UDP).over(&udp(50_000, GENEVE_PORT, &tunnel)))
}

fn matches(kernel: &Kernel) -> u64 {
    let counts = kernel.counts(DEVICE).unwrap();
    counts.tunnels.iter().flat_map(|tracked| tracked.counters.matches.as_flattened()).map(|matches| matches.count).sum()
}

#[test]
fn what_was_stamped_before_both_directions_were_seen_is_not_matched() {
    if !can_load() {
        return;
    }
    let sizes = Sizes { tunnels: 16, buckets: 16, ..Sizes::new(2, 2, 2, 1) };
    let mut kernel = Kernel::load(&[GENEVE_PORT], sizes, random_seed().unwrap()).unwrap();
    let (request, reply) = (echo(8, 2, 1), echo(0, 1, 2));
    kernel.test_run("tunmon_xdp", &request, None).unwrap();
    kernel.begin(random_seed().unwrap()).unwrap();
    kernel.test_run("tunmon_tc_tx", &reply, None).unwrap();
    assert_eq!(matches(&kernel), 0);
    kernel.test_run("tunmon_xdp", &request, None).unwrap();
    kernel.test_run("tunmon_tc_tx", &reply, None).unwrap();
    assert_eq!(matches(&kernel), 1);
}
