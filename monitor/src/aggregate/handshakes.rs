//! The largest segments that connections have agreed on, for each VNI and peer.

use std::collections::BTreeMap;
use std::net::IpAddr;

use monitor_common::event;
use monitor_common::tunnel::Tunnel;

use crate::snapshot::Handshakes as Row;

/// VNIs and peers that are told apart at most.
const MOST: usize = 4096;

/// Handshakes of some time.
#[derive(Default)]
pub(super) struct Handshakes(BTreeMap<(IpAddr, u32), Row>);

impl Handshakes {
    /// Takes one. A side that announces no MSS takes 536 bytes (RFC 9293 §3.7.1), which fit everywhere.
    pub(super) fn record(&mut self, handshake: &event::Handshake, tunnel: &Tunnel) {
        let (source, destination) = (handshake.source.ip(), handshake.destination.ip());
        // What the smaller MSS allows is the longest segment in either direction.
        let mss = handshake.source_mss.min(handshake.destination_mss);
        if mss == 0 {
            return;
        }
        let (pod, server) = if handshake.source_mss <= handshake.destination_mss {
            (source, destination)
        } else {
            (destination, source)
        };
        let headers = if source.is_ipv4() { 40 } else { 60 };
        let inner_length = u32::from(mss) + headers;
        let outer_length = inner_length + u32::from(handshake.overhead);
        let key = (tunnel.peer().ip(), tunnel.vni());
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            return;
        }
        let new = Row {
            vni: key.1,
            peer: key.0,
            mss_bytes: mss.into(),
            pods: [pod, server],
            inner_length_bytes: inner_length,
            outer_length_bytes: outer_length,
            count: 0,
        };
        let row = self.0.entry(key).or_insert_with(|| new.clone());
        if row.outer_length_bytes < new.outer_length_bytes {
            *row = new;
        }
        row.count += u64::from(row.outer_length_bytes == outer_length);
    }

    /// The longest packets of a peer's connections, whatever their VNI: MSS and length of a full outer packet.
    pub(super) fn longest(&self, peer: IpAddr) -> Option<[u32; 2]> {
        let rows = self.0.range((peer, 0)..=(peer, u32::MAX)).map(|(_, row)| row);
        rows.max_by_key(|row| row.outer_length_bytes).map(|row| [row.mss_bytes, row.outer_length_bytes])
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Row> {
        self.0.values().cloned().collect()
    }

    /// All of them, of which there are none afterwards.
    pub(super) fn take(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.0).into_values().collect()
    }
}
