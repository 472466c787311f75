//! The text of reports and of the summary; at most 83 columns, and 110 of the peers' table and of rows with names.
//!
//! The name of a network stands at the end of its row. A peer's row has no room for it: names of nodes stand below.

use std::fmt::Write;
use std::net::IpAddr;

use monitor_common::tunnel::MAX_SLOTS;

use super::path::{overhead, path, size};
use super::units::{grouped, short, time};
use crate::inventory::Name;
use crate::snapshot::{Flows, Peer, Rtt, Snapshot, Traffic, Vni};

/// Rows of one table that are shown; the rest is summed up in a line.
const ROWS: usize = 20;
/// Columns of the widest lines.
const WIDTH: usize = 110;
/// Columns of a name.
const NAME: usize = 25;

/// A report of one interval, under a clock time such as `14:03:23`.
pub(crate) fn interval(snapshot: &Snapshot, clock: &str) -> String {
    let mut text = String::new();
    if snapshot.vnis.is_empty() && snapshot.other == Traffic::default() {
        let _ = writeln!(text, "{clock}  {}: no tunnel packets yet", snapshot.device);
        return text;
    }
    tables(&mut text, snapshot, clock);
    text
}

/// The summary of the whole run.
pub(crate) fn summary(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    let title = format!("--- tunmon summary: {}, {:.1} s ", snapshot.device, snapshot.interval_seconds);
    let _ = writeln!(text, "{title:-<79}");
    if snapshot.accounting.classes.get("geneve").is_some_and(|packets| *packets != 0) {
        tables(&mut text, snapshot, "");
    }
    accounting(&mut text, snapshot);
    text
}

fn tables(text: &mut String, snapshot: &Snapshot, clock: &str) {
    let head = "RX pps TX pps  REMOTE p50     p99  LOCAL p50     p99  MAX IN FRAG";
    let _ = writeln!(text, "{clock:8} {:>8} {head}", "VNI");
    let mut vnis: Vec<&Vni> = snapshot.vnis.iter().filter(|vni| vni.traffic != Traffic::default()).collect();
    vnis.sort_by_key(|vni| std::cmp::Reverse(vni.traffic.rx_packets + vni.traffic.tx_packets));
    for vni in vnis.iter().take(ROWS) {
        let longest = size(vni.sizes.inner_length_max_bytes);
        let fragments = vni.fragments.outer + vni.fragments.inner;
        let name = vni.network.as_ref().map(|name| format!("  {}", cut(name, NAME))).unwrap_or_default();
        row(text, snapshot, &vni.vni.to_string(), vni.traffic, &vni.rtt, (&longest, fragments), &name);
    }
    more(text, vnis.len(), "VNIs");
    if snapshot.other != Traffic::default() {
        row(text, snapshot, "other", snapshot.other, &[], ("-", 0), "");
    }
    let head = "RX pps TX pps  REMOTE p50     p99  LOCAL p50     p99   OVERH FRAG  PATH            POD MTU";
    let _ = writeln!(text, "{:>17} {head}", "PEER");
    let mut peers: Vec<&Peer> = snapshot.peers.iter().filter(|peer| peer.traffic != Traffic::default()).collect();
    peers.sort_by_key(|peer| std::cmp::Reverse(peer.traffic.rx_packets + peer.traffic.tx_packets));
    for peer in peers.iter().take(ROWS) {
        let fragments = peer.fragments.outer + peer.fragments.inner;
        let way = format!("  {:<15} {:>7}", path(&peer.path), size(peer.path.recommended_inner_mtu_bytes));
        row(text, snapshot, &peer.peer.to_string(), peer.traffic, &peer.rtt, (&overhead(&peer.sizes), fragments), &way);
    }
    more(text, peers.len(), "peers");
    nodes(text, peers.iter().take(ROWS).filter_map(|peer| Some((peer.peer, peer.node.as_ref()?))));
}

/// Who the peers are, where it is known, in lines of names.
fn nodes<'a>(text: &mut String, peers: impl Iterator<Item = (IpAddr, &'a Name)>) {
    let mut line = String::new();
    for name in peers.map(|(peer, node)| format!("{peer} {}", cut(node, NAME))) {
        if !line.is_empty() && line.chars().count() + 2 + name.chars().count() > WIDTH {
            let _ = writeln!(text, "{}", std::mem::take(&mut line));
        }
        let _ = write!(line, "{}{name}", if line.is_empty() { "nodes  " } else { "  " });
    }
    if !line.is_empty() {
        let _ = writeln!(text, "{line}");
    }
}

/// A name in so many columns, if its characters are one wide.
fn cut(name: &Name, most: usize) -> String {
    if name.as_str().chars().count() <= most {
        return name.to_string();
    }
    name.as_str().chars().take(most - 1).chain(['…']).collect()
}

fn row(
    text: &mut String,
    snapshot: &Snapshot,
    name: &str,
    traffic: Traffic,
    rtt: &[Rtt],
    last: (&str, u64),
    way: &str,
) {
    let seconds = snapshot.interval_seconds;
    // Of a moment there is no rate.
    let rate = |packets: u64| if seconds > 1e-3 { short(packets as f64 / seconds) } else { "-".to_owned() };
    let [rx, tx] = [traffic.rx_packets, traffic.tx_packets].map(rate);
    let [(remote50, remote99), (local50, local99)] = ["remote", "local"].map(|leg| quantiles(rtt, leg));
    let fragments = if last.1 == 0 { "-".to_owned() } else { short(last.1 as f64) };
    if name.len() > 17 {
        let _ = writeln!(text, "{name}");
    }
    let name = if name.len() > 17 { "" } else { name };
    let _ = writeln!(
        text,
        "{name:>17} {rx:>6} {tx:>6}  {remote50:>10} {remote99:>7}  {local50:>9} {local99:>7} {:>7} {fragments:>4}{way}",
        last.0
    );
}

/// Median and 99th percentile of a leg, by the method that has most samples.
fn quantiles(rtt: &[Rtt], leg: &str) -> (String, String) {
    let of_leg = rtt.iter().filter(|rtt| rtt.leg == leg).filter_map(|rtt| rtt.distribution);
    match of_leg.max_by_key(|distribution| distribution.samples) {
        Some(distribution) => (time(distribution.p50_seconds), time(distribution.p99_seconds)),
        None => ("-".to_owned(), "-".to_owned()),
    }
}

fn more(text: &mut String, rows: usize, what: &str) {
    if rows > ROWS {
        let _ = writeln!(text, "{:>17} {} more {what}", "...", rows - ROWS);
    }
}

fn accounting(text: &mut String, snapshot: &Snapshot) {
    let accounting = &snapshot.accounting;
    let class = |name| accounting.classes.get(name).copied().unwrap_or_default();
    let ours: Vec<String> = accounting
        .classes
        .iter()
        .filter(|(name, count)| **count != 0 && **name != "other")
        .map(|(name, count)| format!("{name} {}", grouped(*count)))
        .collect();
    let ours = if ours.is_empty() { "none of ours".to_owned() } else { ours.join("  ") };
    let _ = writeln!(text, "packets  seen {} = other {}  {ours}", grouped(accounting.seen), grouped(class("other")));
    let tracked: u64 = snapshot.vnis.iter().map(|vni| vni.traffic.rx_packets + vni.traffic.tx_packets).sum();
    let other = snapshot.other.rx_packets + snapshot.other.tx_packets;
    let _ = writeln!(
        text,
        "tunnels  geneve {} = {} VNIs {} + other {}",
        grouped(class("geneve")),
        snapshot.vnis.len(),
        grouped(tracked),
        grouped(other)
    );
    let events = &accounting.events;
    let _ = writeln!(
        text,
        "events   wanted {} = submitted {} + ring full {} + rate limited {}; read {}",
        grouped(events.wanted),
        grouped(events.submitted),
        grouped(events.ring_full),
        grouped(events.rate_limited),
        grouped(events.delivered)
    );
    let full = accounting.events_by_kind.iter().map(|(kind, events)| (*kind, events.ring_full));
    reasons(text, "ring full", full);
    reasons(text, "malformed", accounting.malformed.iter().map(|(reason, count)| (*reason, *count)));
    room(text, other, accounting.untracked_packets, accounting.flows);
}

/// A line of those counts that are not 0, if there is any.
fn reasons(text: &mut String, title: &str, counts: impl Iterator<Item = (&'static str, u64)>) {
    let counts = counts.filter(|(_, count)| *count != 0);
    let counts: Vec<String> = counts.map(|(reason, count)| format!("{reason} {}", grouped(count))).collect();
    if !counts.is_empty() {
        let _ = writeln!(text, "{title}  {}", counts.join("  "));
    }
}

/// What did not fit into the tables, and which option gives more room: the packets in `other`, those of them without a
/// slot, and the flows.
fn room(text: &mut String, other: u64, untracked: u64, flows: Flows) {
    if other != 0 {
        let [untracked, beyond] = [untracked, other.saturating_sub(untracked)].map(grouped);
        let _ = writeln!(text, "other    no free slot for the tunnel {untracked} + beyond --max-vnis {beyond}");
        let _ = writeln!(text, "  more room: --max-vnis, --max-peers; their product up to {MAX_SLOTS}");
    }
    if flows.evicted != 0 {
        let [inserted, evicted] = [flows.inserted, flows.evicted].map(grouped);
        let _ = writeln!(text, "flows    inserted {inserted}, evicted by others {evicted}; more room: --max-flows");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_nodes_fill_lines_and_long_ones_are_cut() {
        let long = Name::new("worker-1.a.long.domain.example");
        let mut text = String::new();
        nodes(&mut text, (1..9).map(|host| ([192, 0, 2, host].into(), &long)));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("nodes  192.0.2.1 worker-1.a.long.domain.e…  192.0.2.2 worker-1"), "{text}");
        assert!(lines.len() == 4 && lines.iter().all(|line| line.chars().count() <= WIDTH), "{text}");
        text.clear();
        nodes(&mut text, std::iter::empty());
        assert_eq!(text, "");
    }

    #[test]
    fn what_did_not_fit_is_told_with_the_option_that_gives_room() {
        let mut text = String::new();
        room(&mut text, 0, 0, Flows { inserted: 7, evicted: 0 });
        assert_eq!(text, "");
        room(&mut text, 4_161_600, 4_161_536, Flows { inserted: 65_536, evicted: 2_064_384 });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "other    no free slot for the tunnel 4 161 536 + beyond --max-vnis 64");
        assert_eq!(lines[2], "flows    inserted 65 536, evicted by others 2 064 384; more room: --max-flows");
        assert!(lines.iter().all(|line| line.len() <= 80), "{lines:?}");
    }
}
