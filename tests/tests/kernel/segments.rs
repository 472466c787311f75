//! Counts are wire packets while the stack handles super-frames (GSO, TSO, GRO).
//!
//! Between the tunnel device and the card a super-frame is one frame: for the tunnel device's counter, and for the hook of
//! TC. tcpdump sees what leaves behind the place where it is cut, and what comes in behind the place where it is merged.
//! What is compared is behind the first and before the second: the counter of the other node's card.
//!
//! * virtio: the cards of the virtual machines offer no segmentation, so the kernel cuts right before the card.
//! * veth: it would hand over super-frames whole; with its segmentation switched off the kernel cuts as before a card.

use tests::netns::{self, Namespace};
use tests::oracle::Way;
use tests::traffic;

use super::nodes::{self, DEVICE, Nodes, TUNNEL, VNI, Wire};
use super::support;

const BYTES: usize = 1 << 20;

/// Switches off what would let super-frames leave by the device; those above it stay.
pub(super) fn cut_at(namespace: &Namespace) {
    let features = "tso off tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off";
    namespace.run(&format!("ethtool -K {DEVICE} {features}")).unwrap();
}

/// What a card's queues received and sent by `ethtool -S`; nothing where the driver has left packets to `ip -s link`, as
/// that of virtio has in Linux 6.12.
fn queues(namespace: &Namespace) -> Option<[u64; 2]> {
    let text = namespace.run(&format!("ethtool -S {DEVICE}")).unwrap();
    let sum = |queue: &str| {
        let rows = text.lines().filter_map(|line| line.trim().split_once(": "));
        let wanted =
            rows.filter(|(name, _)| name.starts_with(queue) && name.ends_with("_packets") && !name.contains("xdp"));
        let numbers: Vec<u64> = wanted.map(|(_, number)| number.trim().parse().unwrap()).collect();
        (!numbers.is_empty()).then(|| numbers.iter().sum())
    };
    Some([sum("rx_queue_")?, sum("tx_queue_")?])
}

fn check(wire: Wire, ingress: &str) {
    let Some(nodes) = Nodes::create(wire) else { return };
    if wire == Wire::Veth {
        cut_at(&nodes.one);
        cut_at(&nodes.two);
    }
    let before = (queues(&nodes.two), netns::traffic(&nodes.one, TUNNEL).unwrap());
    let measured = support::measure([&nodes.one, &nodes.two], DEVICE, ingress, || {
        traffic::tcp(&nodes.one, &nodes.two, nodes::inner(2).into(), BYTES, 1).unwrap();
    });
    let (card, tunnel) = (queues(&nodes.two), netns::traffic(&nodes.one, TUNNEL).unwrap().since(before.1));
    let [sent, received] = [Way::Transmit, Way::Receive].map(|way| measured.counted(VNI, way).packets);
    assert_eq!([sent, received], [measured.far.rx_packets, measured.far.tx_packets], "the other node's card");
    if let (Wire::Virtio, Some(before), Some(after)) = (wire, before.0, card) {
        assert_eq!([sent, received], [after[0] - before[0], after[1] - before[1]], "the card's queues, by ethtool");
    }
    assert_eq!(measured.summary.accounting.seen, sent + received, "there is nothing but the tunnel");
    let dump = |end| measured.pcap.count(&format!("{end} host {}", nodes::outer(1))).unwrap();
    assert_eq!(measured.counted(VNI, Way::Transmit), dump("src"), "packets and bytes, by tcpdump");
    let frames = tunnel.tx_packets;
    assert!(frames < sent, "{frames} frames of the tunnel are {sent} packets: there was no super-frame");
    let merged = dump("dst").packets;
    assert!(wire == Wire::Veth || merged < received, "{received} packets came in as {merged}: none was merged");
    println!("{wire:?} {ingress}: {frames} frames are {sent} packets; {received} packets received, merged to {merged}");
}

#[test]
fn super_frames_count_as_the_packets_that_a_virtio_card_receives() {
    check(Wire::Virtio, "--ingress xdp");
}

#[test]
fn super_frames_count_as_the_packets_that_a_veth_receives() {
    check(Wire::Veth, "--ingress xdp");
}

/// Here received packets are merged again before the hook sees them.
#[test]
fn merged_packets_count_as_the_packets_that_a_virtio_card_sent() {
    check(Wire::Virtio, "--ingress tc");
}
