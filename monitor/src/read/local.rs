//! Whose capture it is: the tunnel endpoint that most tunnel packets come from or go to.
//!
//! On a node with several peers that is the node itself. With a single peer both are seen equally often; then it is
//! the one that was the source first. IPv4 and IPv6 are told apart, because a node may have an endpoint in each.

use std::collections::HashMap;
use std::io::Read;
use std::net::IpAddr;

use anyhow::Result;
use monitor_common::frame::Direction;
use monitor_common::packet::{self, Address, Packet};
use monitor_common::wire::geneve::Ports;

use super::{STRIDE, frame_of};
use crate::capture::Capture;

/// Endpoints that are counted; a capture of one node has a few hundred.
const LIMIT: usize = 1 << 16;

/// Packets of one endpoint, and its place in the order of appearance.
struct Seen {
    packets: u64,
    place: usize,
}

/// Finds the local endpoint of each address family in a capture; `progress` hears of the bytes read.
pub(super) fn find(source: impl Read, ports: Ports, mut progress: impl FnMut(u64)) -> Result<Vec<IpAddr>> {
    let (mut capture, mut packet) = (Capture::new(source)?, Packet::default());
    let (mut endpoints, mut frames) = (HashMap::new(), 0_u64);
    while let Some(record) = capture.next_record()? {
        packet::parse_outer(record.bytes, &frame_of(&record, Direction::Rx), ports, &mut packet);
        if packet.has_geneve() {
            count(&mut endpoints, packet.outer.source);
            count(&mut endpoints, packet.outer.destination);
        }
        frames += 1;
        if frames.is_multiple_of(STRIDE) {
            progress(capture.position());
        }
    }
    Ok(most_seen(&endpoints))
}

fn count(endpoints: &mut HashMap<Address, Seen>, address: Address) {
    let place = endpoints.len();
    if place < LIMIT || endpoints.contains_key(&address) {
        endpoints.entry(address).or_insert(Seen { packets: 0, place }).packets += 1;
    }
}

fn most_seen(endpoints: &HashMap<Address, Seen>) -> Vec<IpAddr> {
    let best = |is_wanted: fn(&IpAddr) -> bool| {
        let known = endpoints.iter().map(|(address, seen)| (address.ip(), seen)).filter(|(ip, _)| is_wanted(ip));
        known.max_by_key(|(_, seen)| (seen.packets, std::cmp::Reverse(seen.place))).map(|(ip, _)| ip)
    };
    [best(IpAddr::is_ipv4), best(IpAddr::is_ipv6)].into_iter().flatten().collect()
}
