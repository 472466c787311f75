//! Frames that lie in memory in ways that no test run and no Open vSwitch makes: headers behind the buffer's head, VLAN
//! tags beside the bytes. What tunmon counts is compared with the same pipeline over the bytes in user space.
//!
//! ```text
//! namespace edge          namespace middle
//! eth0 ────── veth ────── eth0 ─┐
//!                               br0          no addresses, no traffic but ours, which enters at edge's eth0
//! eth1 ────── veth ────── eth1 ─┘
//! ```
//! The kernel takes the outermost tag out of the bytes when middle receives a frame, after XDP and before TC; it is still
//! beside them when the bridge sends the frame out of eth1.

use std::collections::BTreeMap;
use std::path::Path;

use monitor::counts::Counts;
use monitor_common::frame::{Direction, Frame};
use monitor_common::heap::HeapTables;
use monitor_common::observe::observe;
use monitor_common::packet::{Class, Packet};
use monitor_common::wire::geneve::{PORT, Ports};
use tests::frame::parts::{DOT1AD, DOT1Q};
use tests::frame::{Rng, base_packets, mutate, random_frame};
use tests::netns::{self, End, Namespace};
use tests::raw::{self, How};
use tests::tunmon::{Report, Tunmon};

use super::support;

/// The pipeline's name for the device; only its own tables see it.
const DEVICE: u32 = 1;

#[test]
fn frames_in_one_piece_are_counted_exactly() {
    check(How::Whole, "tc");
}

#[test]
fn frames_whose_headers_are_not_in_the_head_are_counted_exactly_by_tc() {
    check(How::Split, "tc");
}

#[test]
fn frames_whose_headers_are_not_in_the_head_are_counted_exactly_by_xdp() {
    check(How::Split, "xdp");
}

fn check(how: How, ingress: &str) {
    if !support::has_device() {
        return;
    }
    let [edge, middle] = topology();
    let frames = frames();
    let watch = |namespace, device| Tunmon::start(namespace, device, &format!("--ingress {ingress}")).unwrap();
    let watchers = [watch(&edge, "eth0"), watch(&middle, "eth0"), watch(&middle, "eth1")];
    raw::send(&edge, "eth0", &frames, how).unwrap();
    let [sent, received, forwarded] = watchers.map(|tunmon| tunmon.stop().unwrap());
    compare(&sent, &expected(&frames, Direction::Tx, false), Direction::Tx);
    compare(&received, &expected(&frames, Direction::Rx, ingress == "tc"), Direction::Rx);
    compare(&forwarded, &expected(&frames, Direction::Tx, true), Direction::Tx);
}

fn topology() -> [Namespace; 2] {
    let namespaces = [Namespace::create("edge").unwrap(), Namespace::create("middle").unwrap()];
    let [edge, middle] = &namespaces;
    for namespace in &namespaces {
        // Not even link-local addresses, whose owner would announce itself.
        namespace.sysctl(&[("ipv6/conf/default/disable_ipv6", "1")]).unwrap();
    }
    if Path::new("/proc/sys/net/bridge").is_dir() {
        // Else the bridge drops broken IP packets, for the firewall's sake.
        middle.sysctl(&[("bridge/bridge-nf-call-iptables", "0"), ("bridge/bridge-nf-call-ip6tables", "0")]).unwrap();
    }
    middle.ip(&["link add br0 type bridge", "link set br0 up"]).unwrap();
    for device in ["eth0", "eth1"] {
        netns::veth(End::bare(edge, device), End::bare(middle, device), 1500).unwrap();
        middle.ip(&[format!("link set {device} master br0")]).unwrap();
    }
    namespaces
}

/// The base packets, and some by chance; no shorter than Ethernet sends them, no longer than the MTU.
fn frames() -> Vec<Vec<u8>> {
    let mut rng = Rng::new(6081);
    let mut frames: Vec<Vec<u8>> = base_packets().into_iter().map(|(_, bytes)| bytes).collect();
    while frames.len() < 2000 {
        let mut bytes = random_frame(&mut rng);
        if rng.once_in(4) {
            mutate(&mut rng, &mut bytes);
        }
        frames.push(bytes);
    }
    // A bridge forwards to neither groups nor nobody.
    let addresses = frames[0][..12].to_vec();
    frames.retain(|frame| (60..=1500).contains(&frame.len()) && frame.starts_with(&addresses));
    frames
}

/// With this seed no three tunnels meet in one pair of slots.
const SEED: u64 = 0x0123_4567_89ab_cdef;

/// What the pipeline makes of the frames; times do not matter, but for their order.
fn expected(frames: &[Vec<u8>], direction: Direction, is_untagged: bool) -> Counts {
    let mut tables = HeapTables::new(Ports::new(&[PORT]), SEED, 1 << 15, 1 << 12, usize::MAX);
    for (now_us, whole) in (1..).zip(frames) {
        let (tag, bytes) = if is_untagged { untagged(whole) } else { (0, whole.clone()) };
        let mut frame = Frame::new(DEVICE, direction, bytes.len() as u32);
        frame.tag = tag;
        observe(&bytes[..], &frame, &mut tables, &mut Packet::default(), || now_us * 1000);
    }
    let counts = Counts::of(&tables, DEVICE);
    assert_eq!(counts.totals.untracked, [[0; 2]; 2], "every tunnel has a slot");
    counts
}

/// The outermost tag as programs see it beside the bytes, and the bytes without it.
fn untagged(frame: &[u8]) -> (u32, Vec<u8>) {
    let word = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    if ![DOT1Q, DOT1AD].contains(&word(12)) {
        return (0, frame.to_vec());
    }
    (1 << 16 | u32::from(word(14)), [&frame[..12], &frame[16..]].concat())
}

/// Classes, and packets and bytes of each VNI. What is not ours is not compared: the kernel may send, too.
fn compare(report: &Report, expected: &Counts, direction: Direction) {
    let summary = report.summary().unwrap();
    summary.check_identities().unwrap();
    let classes = expected.totals.classes[direction as usize];
    for class in Class::ALL.into_iter().filter(|class| *class != Class::Other) {
        let counted = summary.accounting.classes.get(class.name()).copied().unwrap_or(0);
        assert_eq!(counted, classes[class as usize], "{direction:?} {}", class.name());
    }
    let mut vnis = BTreeMap::new();
    for tunnel in &expected.tunnels {
        let traffic = &tunnel.counters.traffic[direction as usize];
        let sum = vnis.entry(tunnel.tunnel.vni()).or_insert((0, 0));
        (sum.0, sum.1) = (sum.0 + traffic.packets, sum.1 + traffic.bytes);
    }
    if summary.other.rx_packets + summary.other.tx_packets > 0 {
        // Three tunnels in two places, by the chance of tunmon's seed: once in thousands of runs.
        return;
    }
    let counted = summary.vnis.iter().map(|row| match direction {
        Direction::Rx => (row.vni, (row.rx_packets, row.rx_bytes)),
        Direction::Tx => (row.vni, (row.tx_packets, row.tx_bytes)),
    });
    assert_eq!(counted.collect::<BTreeMap<_, _>>(), vnis, "{direction:?}");
    assert!(vnis.values().map(|(packets, _)| packets).sum::<u64>() > 1000, "{vnis:?}");
}
