//! Two answers side by side: packets, counts, events. Equal, or a sentence about the first difference.

use std::fmt::Debug;

use monitor::counts::Counts;
use monitor_common::count::totals::Outcome;
use monitor_common::count::{Matches, Totals};
use monitor_common::event::{Any, KINDS, Kind};
use monitor_common::packet::Packet;

pub(super) type Compared = Result<(), String>;

fn same<T: PartialEq + Debug>(what: &str, kernel: &T, user: &T) -> Compared {
    if kernel == user { Ok(()) } else { Err(format!("{what}\n  kernel {kernel:?}\n  user   {user:?}")) }
}

/// The packets of the long way, with their frames, stops and slots.
pub(super) fn packets(kernel: &Packet, user: &Packet) -> Compared {
    same("packet", kernel, user)
}

/// All that was counted, but for times and for what rate limits made of events: both depend on the moment.
pub(super) fn counts(kernel: &Counts, user: &Counts) -> Compared {
    let untimed = |totals: &Totals| Totals { events: [Outcome::default(); KINDS], ..*totals };
    same("totals", &untimed(&kernel.totals), &untimed(&user.totals))?;
    for kind in Kind::ALL {
        let [kernel, user] = [kernel, user].map(|counts| counts.totals.events[kind as usize]);
        same(&format!("{} events wanted", kind.name()), &kernel.wanted, &user.wanted)?;
        same("accounted events", &accounted(&kernel), &kernel.wanted)?;
        same("accounted events", &accounted(&user), &user.wanted)?;
    }
    tunnels(kernel, user)
}

fn accounted(outcome: &Outcome) -> u64 {
    outcome.submitted + outcome.ring_full + outcome.rate_limited
}

fn tunnels(kernel: &Counts, user: &Counts) -> Compared {
    same("tunnels", &kernel.tunnels.len(), &user.tunnels.len())?;
    for (kernel, user) in kernel.tunnels.iter().zip(&user.tunnels) {
        same("tunnel", &kernel.tunnel, &user.tunnel)?;
        let what = format!("VNI {}", kernel.tunnel.vni());
        same(&what, &kernel.counters.traffic, &user.counters.traffic)?;
        let numbers = |matches: [[Matches; 3]; 2]| matches.map(|methods| methods.map(|matches| matches.count));
        same(&what, &numbers(kernel.counters.matches), &numbers(user.counters.matches))?;
    }
    Ok(())
}

/// The events of one frame without their times; returns how many were equal.
///
/// When it `is_certain` that both sides saw the frame in one period of the rate limits, they sent the same. Else one
/// side may have held back an event that the other one sent, and what both sent is compared.
pub(super) fn events(kernel: &[Any], user: &[Any], is_certain: bool) -> Result<usize, String> {
    let (kernel, user) = (untimed(kernel), untimed(user));
    if is_certain {
        same("events", &kernel, &user)?;
    }
    let mut equal = 0;
    for one in &kernel {
        // A frame has at most one event of each kind.
        if let Some(other) = user.iter().find(|other| other.head().kind == one.head().kind) {
            same("event", one, other)?;
            equal += 1;
        }
    }
    Ok(equal)
}

fn untimed(events: &[Any]) -> Vec<Any> {
    let mut events = events.to_vec();
    for event in &mut events {
        match event {
            Any::Rtt(event) => (event.head.at_ns, event.rtt_ns) = (0, 0),
            Any::Fragment(event) => event.head.at_ns = 0,
            Any::IcmpError(event) => event.head.at_ns = 0,
            Any::Retransmit(event) => (event.head.at_ns, event.age_ns, event.heard_ns) = (0, 0, 0),
            Any::Handshake(event) => event.head.at_ns = 0,
            Any::Drop(event) => event.head.at_ns = 0,
        }
    }
    events
}
