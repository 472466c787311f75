//! The truth about a capture's Geneve frames, by tshark's dissection: who sent what with which VNI, when, how long.
//!
//! One frame counts once, for the first Geneve header on its way in. Frames that only *quote* a tunnel packet (ICMP errors),
//! later fragments of the outer packet (no Geneve header in them) and control packets (O bit) do not count.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::tshark::{self, Row};

/// A frame that carries a tunnel packet.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Since 1970.
    pub time: Duration,
    /// Layer-2 bytes without FCS.
    pub length_bytes: u64,
    pub vni: u32,
    pub outer_source: IpAddr,
    pub outer_destination: IpAddr,
    pub outer_vlan: Option<u16>,
    /// ICMP echo inside: whether it is a request, its identifier and its sequence number.
    pub echo: Option<Echo>,
    /// TCP inside.
    pub tcp: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    pub request: bool,
    pub id: u64,
    pub sequence: u64,
}

/// As seen from one tunnel endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Receive,
    Transmit,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub packets: u64,
    pub bytes: u64,
}

/// Packets and bytes by VNI and direction.
pub type Counts = BTreeMap<(u32, Way), Tally>;

const FIELDS: &[&str] = &[
    "frame.time_epoch",
    "frame.len",
    "frame.protocols",
    "vlan.id",
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "geneve.vni",
    "geneve.flags.oam",
    "icmp.type",
    "icmp.ident",
    "icmp.seq",
    "icmpv6.type",
    "icmpv6.echo.identifier",
    "icmpv6.echo.sequence_number",
];

/// Every frame of a capture that carries a tunnel packet, in order.
pub fn frames(pcap: &Path) -> Result<Vec<Frame>> {
    let rows = tshark::rows(pcap, "geneve", FIELDS)?;
    rows.iter()
        .filter(|row| carries_geneve(row))
        .map(|row| frame(row).with_context(|| format!("tshark's row does not make sense: {row:?}")))
        .collect()
}

/// Counts what `local` sent and received.
pub fn count<'a>(frames: impl IntoIterator<Item = &'a Frame>, local: IpAddr) -> Counts {
    let mut counts = Counts::new();
    for frame in frames {
        let Some(way) = frame.way(local) else { continue };
        let tally = counts.entry((frame.vni, way)).or_default();
        tally.packets += 1;
        tally.bytes += frame.length_bytes;
    }
    counts
}

/// The time between an echo request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTrip {
    /// Of the request.
    pub vni: u32,
    pub sequence: u64,
    pub time: Duration,
}

/// Round trips of echoes, in order of the answers: those that `local` asked (`Transmit`), or those it was asked (`Receive`).
pub fn echo_round_trips(frames: &[Frame], local: IpAddr, asked: Way) -> Vec<RoundTrip> {
    let mut requests = BTreeMap::new();
    let mut trips = Vec::new();
    for (frame, echo) in frames.iter().filter_map(|frame| Some((frame, frame.echo?))) {
        let (Some(way), key) = (frame.way(local), (echo.id, echo.sequence)) else { continue };
        if echo.request && way == asked {
            requests.insert(key, frame);
        } else if !echo.request && way != asked {
            let trip =
                |sent: &Frame| RoundTrip { vni: sent.vni, sequence: echo.sequence, time: frame.time - sent.time };
            trips.extend(requests.remove(&key).map(trip));
        }
    }
    trips
}

impl Frame {
    /// `None` if `local` is neither end.
    pub fn way(&self, local: IpAddr) -> Option<Way> {
        if self.outer_source == local {
            Some(Way::Transmit)
        } else {
            (self.outer_destination == local).then_some(Way::Receive)
        }
    }
}

fn carries_geneve(row: &Row) -> bool {
    let protocols = row.first("frame.protocols").unwrap_or_default();
    let outermost = protocols.split(':').find(|name| matches!(*name, "geneve" | "icmp" | "icmpv6"));
    let control = row.first("geneve.flags.oam").is_some_and(|flag| flag == "1" || flag == "True");
    outermost == Some("geneve") && !control
}

fn frame(row: &Row) -> Option<Frame> {
    let protocols: Vec<&str> = row.first("frame.protocols")?.split(':').collect();
    let (outer, inner) = protocols.split_at(protocols.iter().position(|name| *name == "geneve")?);
    let (source, destination) = if outer.contains(&"ipv6") { ("ipv6.src", "ipv6.dst") } else { ("ip.src", "ip.dst") };
    Some(Frame {
        time: epoch(row.first("frame.time_epoch")?)?,
        length_bytes: row.number("frame.len")?,
        vni: row.number("geneve.vni")?.try_into().ok()?,
        outer_source: row.first(source)?.parse().ok()?,
        outer_destination: row.first(destination)?.parse().ok()?,
        outer_vlan: if outer.contains(&"vlan") { row.number("vlan.id")?.try_into().ok() } else { None },
        echo: echo(row),
        tcp: inner.contains(&"tcp"),
    })
}

fn echo(row: &Row) -> Option<Echo> {
    let (request, id, sequence) = match (row.number("icmp.type"), row.number("icmpv6.type")) {
        (Some(kind @ (0 | 8)), _) => (kind == 8, "icmp.ident", "icmp.seq"),
        (_, Some(kind @ (128 | 129))) => (kind == 128, "icmpv6.echo.identifier", "icmpv6.echo.sequence_number"),
        _ => return None,
    };
    Some(Echo { request, id: row.number(id)?, sequence: row.number(sequence)? })
}

/// `seconds.nanoseconds`, exactly.
fn epoch(text: &str) -> Option<Duration> {
    let (seconds, fraction) = text.split_once('.')?;
    Some(Duration::new(seconds.parse().ok()?, format!("{fraction:0<9}").parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_nanoseconds() {
        assert_eq!(epoch("1700000000.000000001"), Some(Duration::new(1_700_000_000, 1)));
        assert_eq!(epoch("5.25"), Some(Duration::new(5, 250_000_000)));
    }
}
