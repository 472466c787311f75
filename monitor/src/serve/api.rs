//! What is known, as JSON: the records of standard output, in arrays with one entry a device or a row.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

use super::desk::{Desk, Health, Question};
use super::routes::{Body, body, plain, unanswered};
use crate::export::json::{self, Record, Summary};
use crate::findings::Finding;
use crate::inventory::State;
use crate::snapshot::{Accounting, Peer, Snapshot, Traffic, Vni};

/// Names of sources that have not answered by then are not waited for.
const FIRST_SYNC_SECONDS: u64 = 5;

/// One of the pages of `/api/v1/`.
pub(super) async fn answer(desk: &Desk, name: &str) -> Response<Body> {
    let answer = match name {
        "summary" => summary(desk).await,
        "vnis" => vnis(desk).await,
        "peers" => peers(desk).await,
        "findings" => findings(desk).await,
        "accounting" => accounting(desk).await,
        "sources" => sources(desk).await,
        _ => {
            let pages = "summary, vnis, peers, findings, events, accounting, sources";
            return plain(StatusCode::NOT_FOUND, format!("/api/v1/ has {pages}\n"));
        }
    };
    answer.unwrap_or_else(unanswered)
}

/// A row of a device's last interval.
#[derive(Serialize)]
struct Row<'a, T> {
    device: &'a str,
    interval_seconds: f64,
    #[serde(flatten)]
    row: &'a T,
}

async fn vnis(desk: &Desk) -> Option<Response<Body>> {
    let intervals = desk.ask(Question::Intervals).await?;
    let rows: Vec<Row<'_, Vni>> = intervals.iter().flat_map(|it| it.vnis.iter().map(|row| row_of(it, row))).collect();
    Some(json(&rows))
}

async fn peers(desk: &Desk) -> Option<Response<Body>> {
    let intervals = desk.ask(Question::Intervals).await?;
    let rows: Vec<Row<'_, Peer>> = intervals.iter().flat_map(|it| it.peers.iter().map(|row| row_of(it, row))).collect();
    Some(json(&rows))
}

fn row_of<'a, T>(interval: &'a Snapshot, row: &'a T) -> Row<'a, T> {
    Row { device: &interval.device, interval_seconds: interval.interval_seconds, row }
}

async fn summary(desk: &Desk) -> Option<Response<Body>> {
    let summaries = desk.ask(Question::Summaries).await?;
    let now = Timestamp::now();
    let record = |(snapshot, findings): &'_ (Snapshot, Vec<Finding>)| {
        let body = Summary { snapshot, findings };
        serde_json::value::to_raw_value(&Record { schema: json::SUMMARY, ts: format!("{now:.9}"), body }).ok()
    };
    Some(json(&summaries.iter().filter_map(record).collect::<Vec<_>>()))
}

async fn findings(desk: &Desk) -> Option<Response<Body>> {
    let summaries = desk.ask(Question::Summaries).await?;
    Some(json(&summaries.iter().flat_map(|(_, findings)| findings).collect::<Vec<_>>()))
}

/// What became of everything that a device has seen.
#[derive(Serialize)]
struct Account<'a> {
    device: &'a str,
    accounting: &'a Accounting,
    other: Traffic,
    other_peers: Traffic,
}

async fn accounting(desk: &Desk) -> Option<Response<Body>> {
    let summaries = desk.ask(Question::Summaries).await?;
    let accounts = summaries.iter().map(|(snapshot, _)| {
        let Snapshot { device, accounting, other, other_peers, .. } = snapshot;
        Account { device, accounting, other: *other, other_peers: *other_peers }
    });
    Some(json(&accounts.collect::<Vec<_>>()))
}

async fn sources(desk: &Desk) -> Option<Response<Body>> {
    let health = desk.ask(Question::Health).await?;
    Some(json(&health.names.sources().collect::<Vec<_>>()))
}

/// Whether the event loop goes round. A device that is gone is waited for, which a restart would not make better.
pub(super) async fn health(desk: &Desk) -> Response<Body> {
    match desk.ask(Question::Health).await {
        Some(health) => plain(StatusCode::OK, format!("ok\n{}", devices(&health))),
        None => unanswered(),
    }
}

/// Whether all devices are watched, and each source of names has answered once or had five seconds for it.
pub(super) async fn readiness(desk: &Desk) -> Response<Body> {
    let Some(health) = desk.ask(Question::Health).await else { return unanswered() };
    let is_early = health.age.as_secs() < FIRST_SYNC_SECONDS;
    let is_waiting = is_early && health.names.sources().any(|source| source.state == State::Starting);
    let is_watching = health.devices.iter().all(|(_, is_watched)| *is_watched);
    let (status, word) = if is_watching && !is_waiting {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    let sources =
        health.names.sources().map(|source| format!("names from {}: {:?}\n", source.kind.name(), source.state));
    plain(status, format!("{word}\n{}{}", devices(&health), sources.collect::<String>()))
}

fn devices(health: &Health) -> String {
    let line = |(name, is_watched): &(String, bool)| {
        format!("device {name}: {}\n", if *is_watched { "watched" } else { "not there, waited for" })
    };
    health.devices.iter().map(line).collect()
}

/// An answer that is this value.
pub(super) fn json<T: Serialize>(value: &T) -> Response<Body> {
    let text = serde_json::to_vec(value).unwrap_or_default();
    as_json(text)
}

/// An answer that is this JSON.
pub(super) fn as_json(text: impl Into<Bytes>) -> Response<Body> {
    let mut response = body(text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
