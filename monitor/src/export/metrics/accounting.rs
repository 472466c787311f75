//! What became of packets and events, what was found, and how the device is watched.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::DeviceMoment;
use super::catalogue::{
    ATTACHED, ATTACHMENT, BLIND, DROPS, EVENTS, EVENTS_READ, FINDING_ACTIVE, FINDINGS, FLOWS_EVICTED, ICMP_ERRORS,
    LATER_FRAGMENTS, MALFORMED, OVERFLOW, REASSEMBLY_FAILURES, SEEN, SHARED_SAMPLES, TOO_BIG,
};
use super::family::{Families, Label};
use super::traffic::Labels;
use crate::inventory::Name;
use crate::snapshot::{Accounting, IcmpErrors};

/// Adds all of a device.
pub(super) fn fill(families: &mut Families, device: &DeviceMoment, labels: &Labels<'_>) {
    let exposed = &device.exposed;
    accounting(families, &exposed.snapshot.accounting, labels);
    errors(families, device, labels);
    for (label, refused) in [("vni", exposed.refused_vnis), ("peer", exposed.refused_peers)] {
        families.count(&OVERFLOW, labels.with(label), refused as u64);
    }
    let mut drops = BTreeMap::<[&str; 2], u64>::new();
    for drop in &exposed.drops {
        let reason = drop.place.reason.as_deref().unwrap_or("NOT_SPECIFIED");
        *drops.entry([reason, &drop.place.symbol]).or_default() += drop.count;
    }
    for ([reason, place], count) in drops {
        let words = [labels.device.clone(), Label::Name(Name::new(reason)), Label::Name(Name::new(place))];
        families.count(&DROPS, words, count);
    }
    findings(families, device, labels);
    families.number(&ATTACHED, [labels.device.clone()], f64::from(u8::from(device.hooks.is_some())));
    if let Some([ingress, egress]) = device.hooks {
        families.number(&ATTACHMENT, [labels.device.clone(), ingress.into(), egress.into()], 1.0);
    }
    families.number(&BLIND, [labels.device.clone()], device.blind_seconds);
}

fn accounting(families: &mut Families, accounting: &Accounting, labels: &Labels<'_>) {
    for (class, count) in &accounting.classes {
        families.count(&SEEN, labels.with(*class), *count);
    }
    for (reason, count) in &accounting.malformed {
        families.count(&MALFORMED, labels.with(*reason), *count);
    }
    let later = accounting.later_fragments;
    families.count(&LATER_FRAGMENTS, labels.with("attributed"), later.attributed);
    families.count(&LATER_FRAGMENTS, labels.with("orphan"), later.orphan);
    for (kind, events) in &accounting.events_by_kind {
        let with = |outcome: &'static str| [labels.device.clone(), (*kind).into(), outcome.into()];
        families.count(&EVENTS, with("submitted"), events.submitted);
        families.count(&EVENTS, with("ring_full"), events.ring_full);
        families.count(&EVENTS, with("rate_limited"), events.rate_limited);
        families.count(&EVENTS_READ, with("delivered"), events.delivered);
        families.count(&EVENTS_READ, with("decode_error"), events.decode_errors);
    }
    families.count(&FLOWS_EVICTED, [labels.device.clone()], accounting.flows.evicted);
    let shared = accounting.histograms.map_or(0, |histograms| histograms.shared_samples);
    families.count(&SHARED_SAMPLES, [labels.device.clone()], shared);
}

fn errors(families: &mut Families, device: &DeviceMoment, labels: &Labels<'_>) {
    let mut errors = BTreeMap::<(IpAddr, u8, u8), u64>::new();
    let mut too_big = BTreeMap::<(IpAddr, &'static str), u64>::new();
    for error in &device.exposed.icmp_errors {
        *errors.entry((error.peer, error.kind, error.code)).or_default() += error.count;
        if is_too_big(error) {
            *too_big.entry((error.peer, "outer")).or_default() += error.count;
        }
    }
    too_big.extend(device.exposed.inner_too_big.iter().map(|(peer, count)| ((*peer, "inner"), *count)));
    for ((peer, scope), count) in too_big {
        let [device, peer, node] = labels.peer(peer);
        families.count(&TOO_BIG, [device, peer, node, scope.into()], count);
    }
    for (peer, count) in &device.exposed.incomplete_datagrams {
        families.count(&REASSEMBLY_FAILURES, labels.peer(*peer), *count);
    }
    for ((peer, kind, code), count) in errors {
        let [device, peer, node] = labels.peer(peer);
        families.count(&ICMP_ERRORS, [device, peer, node, u32::from(kind).into(), u32::from(code).into()], count);
    }
}

/// ICMP 3/4 (RFC 792), ICMPv6 2/0 (RFC 4443).
fn is_too_big(error: &IcmpErrors) -> bool {
    let [kind, code] = if error.reporter.is_ipv4() { [3, 4] } else { [2, 0] };
    (error.kind, error.code) == (kind, code)
}

/// Findings that have series of their own.
const FINDINGS_MAX: usize = 128;

fn findings(families: &mut Families, device: &DeviceMoment, labels: &Labels<'_>) {
    for raised in &device.raised {
        let words = [labels.device.clone(), raised.code.into(), raised.severity.name().into()];
        families.count(&FINDINGS, words, raised.count);
    }
    let mut rest = BTreeMap::<(&'static str, &'static str), f64>::new();
    for (number, finding) in device.active.iter().enumerate() {
        let severity = finding.severity.name();
        if number >= FINDINGS_MAX {
            *rest.entry((finding.code, severity)).or_default() += 1.0;
            continue;
        }
        let peer = finding.peer.as_ref();
        let words = [
            labels.device.clone(),
            finding.code.into(),
            severity.into(),
            finding.vni.map_or_else(|| "".into(), Label::Number),
            finding.network.as_ref().into(),
            peer.map_or_else(|| "".into(), |peer| peer.ip.into()),
            peer.and_then(|peer| peer.node.as_ref()).into(),
        ];
        families.number(&FINDING_ACTIVE, words, 1.0);
    }
    for ((code, severity), count) in rest {
        let other = || Label::from("other");
        let words = [labels.device.clone(), code.into(), severity.into(), other(), "".into(), other(), "".into()];
        families.number(&FINDING_ACTIVE, words, count);
    }
}
