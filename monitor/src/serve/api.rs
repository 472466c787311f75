//! What is known, as JSON: the records of standard output, in arrays with one entry a device or a row.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

use super::desk::{Desk, Health, Question, state};
use super::routes::{Body, body, plain, unanswered};
use crate::export::json::{self, Record, SourceRecord, Summary};
use crate::inventory::State;
use crate::snapshot::{Accounting, Snapshot, Traffic};

/// Names of sources that have not answered by then are not waited for.
const FIRST_SYNC_SECONDS: u64 = 5;

/// One of the pages of `/api/v1/`.
pub(super) async fn answer(desk: &Desk, name: &str) -> Response<Body> {
    let answer = match name {
        "summary" => summary(desk).await,
        "vnis" => rows(desk, |interval| &interval.vnis).await,
        "peers" => rows(desk, |interval| &interval.peers).await,
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

/// Rows of the last interval of each device.
async fn rows<T: Serialize>(desk: &Desk, of: impl Fn(&Snapshot) -> &Vec<T>) -> Option<Response<Body>> {
    let intervals = desk.ask(Question::Intervals).await?;
    let rows = intervals.iter().flat_map(|interval| {
        let Snapshot { device, interval_seconds, .. } = interval.as_ref();
        of(interval).iter().map(|row| Row { device, interval_seconds: *interval_seconds, row })
    });
    Some(json(&rows.collect::<Vec<_>>()))
}

async fn summary(desk: &Desk) -> Option<Response<Body>> {
    let summaries = desk.ask(Question::Summaries).await?;
    let ts = format!("{:.9}", Timestamp::now());
    let records = summaries.iter().map(|(snapshot, findings)| {
        let body = Summary { snapshot, findings };
        Record { schema: json::SUMMARY, ts: ts.clone(), body }
    });
    Some(json(&records.collect::<Vec<_>>()))
}

async fn findings(desk: &Desk) -> Option<Response<Body>> {
    Some(json(&desk.ask(Question::Findings).await?))
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
    let records = health.names.sources().map(|source| SourceRecord::new(source, &health.names));
    Some(json(&records.collect::<Vec<_>>()))
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
    let line = |(name, is_watched): &(String, bool)| format!("device {name}: {}\n", state(*is_watched));
    health.devices.iter().map(line).collect()
}

/// An answer that is this value.
fn json<T: Serialize>(value: &T) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(text) => as_json(text),
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

/// An answer that is this JSON.
pub(super) fn as_json(text: impl Into<Bytes>) -> Response<Body> {
    let mut response = body(text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
