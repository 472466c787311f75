//! TM101: packets above a size vanish on the way, and nobody says so.
//!
//! A flow is evidence when its data was sent again and again and never acknowledged, while its receiver is there and
//! shorter packets reach the same peer. One flow may have bad luck: it takes two, or three retransmissions. What is
//! received is not seen to be sent again; there the time that a hole has been open stands for it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::{Hit, Rule, Severity, value};
use crate::snapshot::{Hole, Snapshot};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "TM101",
    kind: "path_mtu_black_hole",
    severity: Severity::Critical,
    page: include_str!("../../../docs/findings/TM101.md"),
    judge,
};

/// Every IPv4 link takes so much in practice; what is shorter is not lost for its size.
const LEAST: u32 = 576;
/// Every link of IPv6 takes so much (RFC 8200 §5), and so do those of IPv4 that carry tunnels.
const USUAL: u32 = 1280;
/// Deliveries are known in steps of so many bytes.
const STEP: u32 = 16;
/// Retransmissions of one flow that are no bad luck.
const MANY: u32 = 3;
/// Those of two flows, when other packets as long do arrive: of several paths one is too small. At a loss of 5 % a packet in
/// three million needs as many.
const MANY_PATHS: u32 = 4;
/// Linux has sent again four times by then (0.2, 0.6, 1.4 and 3.0 s).
const LONG_SECONDS: f64 = 3.0;
/// What only the end of a connection has shown is told after this time.
const ENDED_SECONDS: f64 = 5.0;

#[derive(Serialize)]
struct Evidence {
    direction: &'static str,
    lost_length_bytes: u32,
    delivered_length_bytes: Option<u32>,
    flows: usize,
    /// Whether other packets as long do arrive: one path of several is too small.
    is_partial: bool,
    retransmissions: u32,
    seconds: f64,
    overhead_bytes: Option<u32>,
    recommended_inner_mtu_bytes: Option<u32>,
    source: IpAddr,
    destination: IpAddr,
}

/// A flow that is evidence.
struct Lost<'a> {
    hole: &'a Hole,
    length: u32,
    delivered: Option<u32>,
    /// One is evidence by itself.
    is_enough: bool,
    is_partial: bool,
}

fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    let mut peers = BTreeMap::<(IpAddr, bool), Vec<Lost<'_>>>::new();
    let is_here = snapshot.evidence.is_here;
    // What generic XDP has received may be longer than any packet.
    let is_judged = |hole: &&Hole| hole.is_transmitted || !snapshot.evidence.is_merged;
    for lost in snapshot.evidence.holes.iter().filter(is_judged).filter_map(|hole| lost(hole, is_here)) {
        peers.entry((lost.hole.peer, lost.hole.is_transmitted)).or_default().push(lost);
    }
    // Where somebody tells of it, it is no black hole: TM102, TM104 and others. Of the way back only the peer is told.
    peers.retain(|(peer, _), _| !is_told(snapshot, *peer));
    peers.retain(|way, lost| is_convincing(snapshot, *way, lost));
    let mut tunnels = BTreeMap::<(IpAddr, u32), Vec<Lost<'_>>>::new();
    for lost in peers.into_values().flatten() {
        tunnels.entry((lost.hole.peer, lost.hole.vni)).or_default().push(lost);
    }
    tunnels.into_iter().map(|((peer, vni), lost)| hit(snapshot, peer, vni, &lost)).collect()
}

/// Whether somebody has said that packets to a peer do not arrive: other findings have it then, with the reason.
fn is_told(snapshot: &Snapshot, peer: IpAddr) -> bool {
    let path = snapshot.peer(peer).map(|row| &row.path);
    path.is_some_and(|path| path.icmp_mtu_bytes.is_some()) || snapshot.evidence.has_complaint(peer)
}

/// Whether the flows of one way are enough.
fn is_convincing(snapshot: &Snapshot, (peer, is_transmitted): (IpAddr, bool), lost: &[Lost<'_>]) -> bool {
    if lost.iter().any(|lost| !lost.is_partial) {
        return lost.len() >= 2 || lost.iter().any(|lost| lost.is_enough);
    }
    // Short packets that are stuck as well are not lost for their size.
    let is_short = |hole: &&Hole| hole.length_bytes.is_some_and(|length| length <= LEAST) && hole.times >= 2;
    let mut stuck = snapshot.evidence.holes.iter().filter(is_short);
    lost.len() >= 2 && !stuck.any(|hole| hole.peer == peer && hole.is_transmitted == is_transmitted)
}

/// The flow, when it is evidence; `is_here`: it is known which way its data goes.
fn lost(hole: &Hole, is_here: bool) -> Option<Lost<'_>> {
    let delivered = hole.delivered_since_bytes.or(hole.delivered_lately_bytes);
    if let Some(length) = hole.given_up_length_bytes {
        // The sender has found out by itself (RFC 4821): what it gave up is lost, what it sent then is not.
        let arrived = hole.length_bytes.filter(|_| hole.is_closed);
        let is_told = arrived.is_some() && is_longer(length, hole.delivered_since_bytes);
        let delivered = arrived.max(delivered);
        return is_told.then_some(Lost { hole, length, delivered, is_enough: true, is_partial: false });
    }
    let length = hole.length_bytes.filter(|length| *length > LEAST)?;
    if !is_longer(length, delivered) {
        let is_partial = hole.is_transmitted && !hole.is_echo && hole.is_receiver_there && !hole.is_closed;
        let is_stuck = hole.times >= MANY_PATHS && hole.confirmed_times >= 2;
        return (is_partial && is_stuck).then_some(Lost { hole, length, delivered, is_enough: false, is_partial });
    }
    // What nobody has seen to be sent has not come here, or has never left: TM108.
    let is_unseen = !hole.is_transmitted || hole.is_ahead && !is_here;
    let is_enough = if is_unseen {
        received(hole)?
    } else if hole.is_receiver_there && !hole.is_closed {
        transmitted(hole)?
    } else {
        return None;
    };
    Some(Lost { hole, length, delivered, is_enough, is_partial: false })
}

/// Whether a packet of this length is longer than all that were delivered.
fn is_longer(length: u32, delivered: Option<u32>) -> bool {
    delivered.is_none_or(|delivered| length / STEP > delivered / STEP)
}

/// Whether what we have sent is evidence, and by itself.
fn transmitted(hole: &Hole) -> Option<bool> {
    let is_passing = hole.delivered_since_bytes.is_some() && hole.confirmed_times >= 2;
    // A connection that was set up a moment before: its handshake has passed.
    let has_passed = hole.delivered_lately_bytes.is_some() && !hole.is_echo && hole.times >= MANY;
    let is_told = hole.times >= 2 && (is_passing || hole.delivered_since_bytes.is_none() && has_passed);
    is_told.then_some(hole.times >= MANY)
}

/// Whether what has not come from the peer is evidence, and by itself.
fn received(hole: &Hole) -> Option<bool> {
    let age = hole.age_seconds;
    // A sender whose way was cut waits for as long again before it sends.
    let is_steady = hole.steady_seconds >= LONG_SECONDS && hole.steady_seconds >= 0.6 * age;
    let is_told = age >= LONG_SECONDS && is_steady || age >= ENDED_SECONDS && hole.is_ahead;
    (hole.times == 0 && hole.missing_bytes != 0 && is_told).then_some(true)
}

fn hit(snapshot: &Snapshot, peer: IpAddr, vni: u32, lost: &[Lost<'_>]) -> Hit {
    let length = lost.iter().map(|lost| lost.length).min().unwrap_or_default();
    let delivered = lost.iter().filter_map(|lost| lost.delivered).max();
    let is_partial = lost.iter().all(|lost| lost.is_partial);
    let overhead = snapshot.evidence.overhead(peer);
    let known = delivered.filter(|_| !is_partial).unwrap_or_default();
    let passes = known.max(if length > USUAL { USUAL } else { LEAST });
    let passes = snapshot.path_mtu(peer).map_or(passes, |known| known.min(passes));
    let recommended = overhead.and_then(|overhead| passes.checked_sub(overhead));
    let direction = direction(lost);
    let way = match direction {
        "tx" => format!("to {peer}"),
        "rx" => format!("from {peer}"),
        _ => format!("to or from {peer}"),
    };
    let others = match delivered {
        _ if is_partial => "others as long arrive: one of several paths is too small".to_owned(),
        Some(bytes) => format!("those of {bytes} bytes arrive"),
        None => "shorter ones arrive".to_owned(),
    };
    let fix = recommended.map_or_else(
        || "set the MTU of the pods so that their tunnel packets fit the path".to_owned(),
        |mtu| format!("set the MTU of the pods to {mtu} or less, or find the link on the path that is too small"),
    );
    let first = lost.first().map(|lost| lost.hole);
    let ends = first.map_or([peer; 2], |hole| [hole.source.0, hole.destination.0]);
    Hit {
        vni: Some(vni),
        peer: Some(peer),
        count: lost.iter().map(|lost| lost.hole.steps).sum::<u64>().max(1),
        cause: format!("tunnel packets of {length} bytes {way} vanish without a word, {others}"),
        fix,
        test: format!("tunmon probe {peer}"),
        evidence: value(&Evidence {
            direction,
            lost_length_bytes: length,
            delivered_length_bytes: delivered,
            flows: lost.len(),
            is_partial,
            retransmissions: lost.iter().map(|lost| lost.hole.times).sum(),
            seconds: lost.iter().map(|lost| lost.hole.age_seconds).fold(0.0, f64::max),
            overhead_bytes: overhead,
            recommended_inner_mtu_bytes: recommended,
            source: ends[0],
            destination: ends[1],
        }),
    }
}

/// An echo that is not answered may be lost on its way there or back.
fn direction(lost: &[Lost<'_>]) -> &'static str {
    let is_any = |is: fn(&Hole) -> bool| lost.iter().any(|lost| is(lost.hole));
    let (rx, tx) = (is_any(|hole| !hole.is_transmitted), is_any(|hole| hole.is_transmitted && !hole.is_echo));
    match (rx, tx) {
        (true, true) => "both",
        (true, false) => "rx",
        (false, true) => "tx",
        (false, false) => "either",
    }
}

#[cfg(test)]
mod tests;
