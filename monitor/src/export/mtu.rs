//! `tunmon.mtu/v1`: what fits through the way to one peer.

use std::net::IpAddr;

use serde::Serialize;

use crate::snapshot::{Path, Peer, Share, Sizes, Snapshot, Traffic};

/// A peer, on one device.
#[derive(Debug, Serialize)]
pub(crate) struct Mtu<'a> {
    /// The time that was watched.
    pub(crate) interval_seconds: f64,
    /// Name of the device.
    pub(crate) device: &'a str,
    /// Its MTU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device_mtu_bytes: Option<u32>,
    /// The peer.
    pub(crate) peer: IpAddr,
    /// Whether there was a tunnel to it; if not, only the way is known.
    pub(crate) seen: bool,
    /// Its packets.
    #[serde(flatten)]
    pub(crate) traffic: Traffic,
    /// Their sizes.
    #[serde(flatten)]
    pub(crate) sizes: Sizes,
    /// The way.
    #[serde(flatten)]
    pub(crate) path: Path,
    /// Its virtual networks.
    pub(crate) vnis: Vec<Network>,
}

/// What a peer and a virtual network have in common.
#[derive(Debug, Serialize)]
pub(crate) struct Network {
    /// Network, packets, sizes.
    #[serde(flatten)]
    pub(crate) share: Share,
    /// The path MTU less the network's own overhead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recommended_inner_mtu_bytes: Option<u32>,
    /// How much longer its packets could be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unused_inner_bytes: Option<u32>,
}

impl<'a> Mtu<'a> {
    /// All peers of a device, or the one that was asked about if it was seen there.
    pub(crate) fn all(snapshot: &'a Snapshot, asked: Option<IpAddr>) -> Vec<Self> {
        let peers = snapshot.peers.iter().filter(|row| asked.is_none_or(|asked| asked == row.peer));
        peers.map(|row| Self { seen: true, vnis: networks(snapshot, row), ..Self::unseen(snapshot, row) }).collect()
    }

    /// A peer of which nothing was seen.
    pub(crate) fn unseen(snapshot: &'a Snapshot, row: &Peer) -> Self {
        Self {
            interval_seconds: snapshot.interval_seconds,
            device: &snapshot.device,
            device_mtu_bytes: snapshot.mtu_bytes,
            peer: row.peer,
            seen: false,
            traffic: row.traffic,
            sizes: row.sizes,
            path: row.path.clone(),
            vnis: Vec::new(),
        }
    }
}

fn networks(snapshot: &Snapshot, row: &Peer) -> Vec<Network> {
    let from = snapshot.shares.partition_point(|share| share.peer < row.peer);
    let shares = snapshot.shares[from..].iter().take_while(|share| share.peer == row.peer);
    let network = |share: &Share| {
        let Path { recommended_inner_mtu_bytes, unused_inner_bytes, .. } = row.path.clone().with(&share.sizes);
        Network { share: *share, recommended_inner_mtu_bytes, unused_inner_bytes }
    };
    shares.map(network).collect()
}
