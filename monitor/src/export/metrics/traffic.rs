//! What passes the device: packets, sizes, round-trip times, per VNI, peer and tunnel.

use std::net::IpAddr;

use super::catalogue::{
    DEVICE_MTU, DF_CLEAR, INNER_MTU_SAFE, INNER_PACKET_MAX, Metric, PATH_MTU, PEER_INNER_MTU, PEER_OVERHEAD_MAX,
    PEER_RECEIVE_BYTES, PEER_RECEIVE_PACKETS, PEER_RTT, PEER_TRANSMIT_BYTES, PEER_TRANSMIT_PACKETS, RECEIVE_BYTES,
    RECEIVE_FRAGMENTS, RECEIVE_INNER_FRAGMENTS, RECEIVE_PACKETS, RTT, TRANSMIT_BYTES, TRANSMIT_FRAGMENTS,
    TRANSMIT_INNER_FRAGMENTS, TRANSMIT_PACKETS, TUNNEL_RECEIVE_PACKETS, TUNNEL_TRANSMIT_PACKETS,
};
use super::family::{Families, Label};
use super::histogram::{CLASSIC, Histogram};
use super::{DeviceMoment, Moment};
use crate::inventory::{Inventory, Name};
use crate::snapshot::{Peer, Rtt, Traffic, Vni};

/// Labels of one device.
pub(super) struct Labels<'a> {
    pub(super) device: Label,
    names: &'a Inventory,
    has_peer_buckets: bool,
}

impl<'a> Labels<'a> {
    pub(super) fn new(device: &DeviceMoment, moment: &'a Moment) -> Self {
        let name = Label::Name(Name::new(&device.exposed.snapshot.device));
        Self { device: name, names: &moment.names, has_peer_buckets: moment.has_peer_buckets }
    }

    /// Device, address and node of a peer.
    pub(super) fn peer(&self, peer: IpAddr) -> [Label; 3] {
        [self.device.clone(), peer.into(), self.names.node_name(peer).into()]
    }

    /// The device, and one more.
    pub(super) fn with(&self, label: impl Into<Label>) -> [Label; 2] {
        [self.device.clone(), label.into()]
    }
}

/// The four counts of traffic.
type Four = [&'static Metric; 4];
const BY_VNI: Four = [&RECEIVE_PACKETS, &RECEIVE_BYTES, &TRANSMIT_PACKETS, &TRANSMIT_BYTES];
const BY_PEER: Four = [&PEER_RECEIVE_PACKETS, &PEER_RECEIVE_BYTES, &PEER_TRANSMIT_PACKETS, &PEER_TRANSMIT_BYTES];

/// Adds all of a device.
pub(super) fn fill(families: &mut Families, device: &DeviceMoment, labels: &Labels<'_>) {
    let exposed = &device.exposed;
    let snapshot = &exposed.snapshot;
    for row in &snapshot.vnis {
        vni(families, row, labels);
    }
    four(families, BY_VNI, &labels.with("other"), snapshot.other);
    for row in &snapshot.peers {
        peer(families, row, labels);
    }
    four(families, BY_PEER, &[labels.device.clone(), "other".into(), "".into()], snapshot.other_peers);
    for share in &exposed.shares {
        let ends = [labels.device.clone(), share.vni.into(), share.local.into(), share.peer.into()];
        two(families, ends, share.traffic);
    }
    two(families, [labels.device.clone(), "other".into(), "".into(), "other".into()], exposed.other_shares);
    if let Some(mtu) = snapshot.mtu_bytes {
        families.number(&DEVICE_MTU, [labels.device.clone()], mtu.into());
    }
    for (family, is_ipv4) in [("ipv4", true), ("ipv6", false)] {
        let of_family = snapshot.peers.iter().filter(|row| row.peer.is_ipv4() == is_ipv4);
        if let Some(least) = of_family.filter_map(|row| row.path.recommended_inner_mtu_bytes).min() {
            families.number(&INNER_MTU_SAFE, labels.with(family), least.into());
        }
    }
}

fn vni(families: &mut Families, row: &Vni, labels: &Labels<'_>) {
    let own = labels.with(row.vni);
    four(families, BY_VNI, &own, row.traffic);
    let [rx, tx] = row.ways;
    families.count(&RECEIVE_FRAGMENTS, own.clone(), rx.outer_fragments);
    families.count(&TRANSMIT_FRAGMENTS, own.clone(), tx.outer_fragments);
    families.count(&RECEIVE_INNER_FRAGMENTS, own.clone(), rx.inner_fragments);
    families.count(&TRANSMIT_INNER_FRAGMENTS, own.clone(), tx.inner_fragments);
    let [device_label, vni] = own.clone();
    let clear = row.df_clear;
    for (way, count) in [("receive", clear.rx_df_clear_packets), ("transmit", clear.tx_df_clear_packets)] {
        families.count(&DF_CLEAR, [device_label.clone(), vni.clone(), way.into()], count);
    }
    if let Some(longest) = row.sizes.inner_length_max_bytes {
        families.number(&INNER_PACKET_MAX, own, longest.into());
    }
    for rtt in &row.rtt {
        let ways = [device_label.clone(), vni.clone(), rtt.leg.into(), rtt.method.into()];
        histogram(families, &RTT, ways, rtt, true);
    }
}

fn peer(families: &mut Families, row: &Peer, labels: &Labels<'_>) {
    let own = labels.peer(row.peer);
    four(families, BY_PEER, &own, row.traffic);
    if let Some(mtu) = row.path.path_mtu_bytes {
        families.number(&PATH_MTU, own.clone(), mtu.into());
    }
    if let Some(mtu) = row.path.recommended_inner_mtu_bytes {
        families.number(&PEER_INNER_MTU, own.clone(), mtu.into());
    }
    if let Some(most) = row.sizes.overhead_max_bytes {
        families.number(&PEER_OVERHEAD_MAX, own.clone(), most.into());
    }
    for rtt in &row.rtt {
        let [device_label, peer, node] = own.clone();
        let ways = [device_label, peer, node, rtt.leg.into(), rtt.method.into()];
        histogram(families, &PEER_RTT, ways, rtt, labels.has_peer_buckets);
    }
}

fn histogram<const N: usize>(
    families: &mut Families,
    metric: &'static Metric,
    labels: [Label; N],
    rtt: &Rtt,
    has_buckets: bool,
) {
    let Some(buckets) = &rtt.histogram else { return };
    let bounds = CLASSIC.filter(|_| has_buckets);
    families.histogram(metric, labels, Histogram::new(buckets, rtt.sum_seconds, rtt.exemplars.clone(), bounds));
}

fn four<const N: usize>(families: &mut Families, metrics: Four, labels: &[Label; N], traffic: Traffic) {
    let counts = [traffic.rx_packets, traffic.rx_bytes, traffic.tx_packets, traffic.tx_bytes];
    for (metric, count) in metrics.into_iter().zip(counts) {
        families.count(metric, labels.clone(), count);
    }
}

fn two(families: &mut Families, labels: [Label; 4], traffic: Traffic) {
    families.count(&TUNNEL_RECEIVE_PACKETS, labels.clone(), traffic.rx_packets);
    families.count(&TUNNEL_TRANSMIT_PACKETS, labels, traffic.tx_packets);
}
