//! The page at `/`: what this is, where the rest is, and what is wrong just now.

use std::fmt::Write;

use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use super::desk::{Desk, Question, state};
use super::routes::{Body, body, unanswered};
use crate::findings::{Finding, State};

const LINKS: [(&str, &str); 10] = [
    ("/metrics", "metrics for Prometheus"),
    ("/healthz", "whether tunmon works"),
    ("/readyz", "whether all devices are watched"),
    ("/api/v1/summary", "the run until now"),
    ("/api/v1/vnis", "virtual networks in the last interval"),
    ("/api/v1/peers", "tunnel endpoints in the last interval"),
    ("/api/v1/findings", "what was found"),
    ("/api/v1/events", "the last events; with Accept: text/event-stream those to come"),
    ("/api/v1/accounting", "what became of everything that was seen"),
    ("/api/v1/sources", "where names come from"),
];
/// Findings that are shown.
const SHOWN: usize = 5;
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:50rem;padding:0 1rem;\
                     color:#1c1c1c;background:#fff}code,a{font-family:ui-monospace,monospace}td{padding:.1rem 1rem .1rem 0}\
                     .critical{color:#a40000}.warning{color:#8a5300}\
                     @media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}a{color:#8ab4f8}\
                     .critical{color:#ff8a80}.warning{color:#ffc46b}}";

/// The page.
pub(super) async fn page(desk: &Desk) -> Response<Body> {
    let Some(health) = desk.ask(Question::Health).await else { return unanswered() };
    let findings = desk.ask(Question::Findings).await.unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let mut html =
        format!("<!doctype html><html lang=en><meta charset=utf-8><title>tunmon</title><style>{STYLE}</style>");
    // Writing into a string cannot fail.
    let _ = write!(
        html,
        "<h1>tunmon {version}</h1><p>Watches Geneve tunnels. Up {}.</p><table>",
        age(health.age.as_secs())
    );
    for (device, is_watched) in &health.devices {
        let _ = write!(html, "<tr><td><code>{}</code><td>{}", escape(device), state(*is_watched));
    }
    html.push_str("</table><h2>Findings</h2>");
    let active: Vec<&Finding> = findings.iter().filter(|finding| finding.state != State::Cleared).collect();
    html.push_str(if active.is_empty() { "<p>None: nothing wrong was seen in the last minute." } else { "<ul>" });
    for finding in active.iter().take(SHOWN) {
        let severity = finding.severity.name();
        let (code, cause) = (finding.code, escape(&finding.cause));
        let _ = write!(html, "<li><b class={severity}>{severity} {code}</b> {cause}<br>{}", escape(&finding.fix));
    }
    let _ = match active.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(html, "<li>and {more} more"),
    };
    html.push_str(if active.is_empty() { "" } else { "</ul>" });
    html.push_str("<h2>Pages</h2><table>");
    for (path, meaning) in LINKS {
        let _ = write!(html, "<tr><td><a href={path}>{path}</a><td>{meaning}");
    }
    html.push_str("</table></html>\n");
    let mut response = body(html);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Text that is only text. What other people have named is harmless already.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
