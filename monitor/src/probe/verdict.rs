//! What a probe concludes: the record `tunmon.probe/v1`.

use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use super::campaign::{Campaign, Reason, Report};
use super::search::{End, Sizes};
use super::text;
use super::wire::{Kind, Refusal, Wire};

/// Schema of the record.
pub(super) const PROBE: &str = "tunmon.probe/v1";

/// Whose path was probed, and how.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Target {
    pub(super) peer: Peer,
    pub(super) device: String,
    pub(super) device_mtu_bytes: u32,
    #[serde(skip)]
    pub(super) sizes: Sizes,
    pub(super) overhead_bytes: u32,
}

/// The other tunnel endpoint.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Peer {
    pub(super) ip: IpAddr,
}

/// What is concluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// The largest size passes in every flow.
    Whole,
    /// A flow's path takes less.
    Smaller,
    /// There are answers, but not enough of them to judge.
    Unknown,
    /// There is none.
    NoAnswer,
}

/// One flow.
#[derive(Clone, Debug, Serialize)]
pub(super) struct FlowRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source_port: Option<u16>,
    pub(super) state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) passes_bytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fails_bytes: Option<u32>,
    pub(super) sent: u32,
    /// Packets of a size that passes that were not answered.
    pub(super) lost: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rtt_seconds: Option<f64>,
    pub(super) reports: Vec<Report>,
}

/// The record.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Verdict {
    #[serde(flatten)]
    pub(super) target: Target,
    pub(super) state: State,
    pub(super) ended: Reason,
    pub(super) method: Kind,
    pub(super) min_bytes: u32,
    pub(super) max_bytes: u32,
    /// What every path that answers takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path_mtu_bytes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recommended_inner_mtu_bytes: Option<u32>,
    pub(super) flows_differ: bool,
    pub(super) packets: u32,
    pub(super) duration_seconds: f64,
    /// Why there was no answer, if somebody says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<Refusal>,
    pub(super) flows: Vec<FlowRow>,
    pub(super) cause: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) test: Option<String>,
}

/// What has been spent, and why no more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    pub(super) packets: u32,
    pub(super) time: Duration,
    pub(super) ended: Reason,
}

impl Verdict {
    /// Judges what a campaign has found.
    pub(super) fn new(target: Target, kind: Kind, campaign: &Campaign, wire: &Wire, spent: Spent) -> Self {
        let rows: Vec<FlowRow> = (0..campaign.flows.len()).map(|flow| row(campaign, wire, flow)).collect();
        let state = state(&rows);
        let known = || rows.iter().filter(|row| matches!(row.state, State::Whole | State::Smaller));
        let path_mtu_bytes = match known().any(|row| row.passes_bytes.is_none()) {
            true => None,
            false => known().filter_map(|row| row.passes_bytes).min(),
        };
        let sizes = known().map(|row| row.passes_bytes);
        let flows_differ = sizes.clone().min() != sizes.max();
        let mut verdict = Self {
            state,
            ended: spent.ended,
            method: kind,
            min_bytes: target.sizes.base,
            max_bytes: target.sizes.max,
            path_mtu_bytes,
            recommended_inner_mtu_bytes: path_mtu_bytes.and_then(|mtu| mtu.checked_sub(target.overhead_bytes)),
            flows_differ,
            packets: spent.packets,
            duration_seconds: spent.time.as_secs_f64(),
            refusal: wire.refusal,
            flows: rows,
            target,
            cause: String::new(),
            fix: None,
            test: None,
        };
        (verdict.cause, verdict.fix, verdict.test) = (text::cause(&verdict), text::fix(&verdict), text::test(&verdict));
        verdict
    }
}

/// The worst of what is known; unknown where anything is missing and nothing bad is known.
fn state(rows: &[FlowRow]) -> State {
    let has = |state| rows.iter().any(|row| row.state == state);
    match () {
        () if has(State::Smaller) => State::Smaller,
        () if !has(State::Whole) && !has(State::Unknown) => State::NoAnswer,
        () if has(State::Unknown) || has(State::NoAnswer) => State::Unknown,
        () => State::Whole,
    }
}

fn row(campaign: &Campaign, wire: &Wire, flow: usize) -> FlowRow {
    let source_port = wire.source_port(flow);
    let flow = &campaign.flows[flow];
    let search = &flow.search;
    let is_below_base = flow.reports.iter().any(|report| report.mtu_bytes < campaign.sizes.base);
    let state = match (search.end(), search.passes()) {
        (Some(End::Whole), _) => State::Whole,
        (Some(End::Smaller), _) => State::Smaller,
        (Some(End::Silent) | None, None) if is_below_base => State::Smaller,
        (Some(End::Silent), _) => State::NoAnswer,
        (None, None) if campaign.is_silent() => State::NoAnswer,
        (Some(End::Unsteady) | None, _) => State::Unknown,
    };
    FlowRow {
        source_port,
        state,
        passes_bytes: search.passes(),
        fails_bytes: match (state, search.passes()) {
            (State::Smaller, None) => Some(campaign.sizes.base),
            (State::Smaller, Some(_)) => search.fails(),
            (State::Whole | State::Unknown | State::NoAnswer, _) => None,
        },
        sent: flow.sent,
        lost: search.lost,
        rtt_seconds: flow.rtt.map(|rtt| rtt.as_secs_f64()),
        reports: flow.reports.clone(),
    }
}
