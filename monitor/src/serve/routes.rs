//! One request, one answer.

use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap,
    HeaderName, HeaderValue, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};
use rustls::client::verify_server_name;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::auth::Doorkeeper;
use super::config::{Rules, Web};
use super::desk::{Desk, PATIENCE, Question};
use super::{api, landing, stream};
use crate::export::metrics::{families, negotiate};

/// The body of an answer.
pub(super) type Body = BoxBody<Bytes, Infallible>;

/// Scrapes at a time.
const SCRAPES: usize = 8;

/// What answers.
pub(super) struct Server {
    pub(super) desk: Desk,
    web: Option<Arc<Web>>,
    doorkeeper: Doorkeeper,
    scrapes: Semaphore,
    pub(super) streams: Arc<Semaphore>,
}

impl Server {
    pub(super) fn new(desk: Desk, web: Option<Arc<Web>>) -> Self {
        let streams = Arc::new(Semaphore::new(stream::STREAMS));
        Self { desk, web, doorkeeper: Doorkeeper::new(), scrapes: Semaphore::new(SCRAPES), streams }
    }

    fn rules(&self) -> Option<Arc<Rules>> {
        self.web.as_ref().map(|web| web.rules())
    }

    /// TLS, if it is spoken.
    pub(super) fn tls(&self) -> Option<TlsAcceptor> {
        self.rules()?.tls.clone()
    }

    /// Whether the other end's certificate has a name that is allowed, if that is asked for.
    pub(super) fn takes(&self, stream: &TlsStream<TcpStream>) -> bool {
        let Some(rules) = self.rules().filter(|rules| !rules.allowed_sans.is_empty()) else { return true };
        let shown: Option<&[CertificateDer<'_>]> = stream.get_ref().1.peer_certificates();
        let parsed = shown.and_then(|chain| ParsedCertificate::try_from(chain.first()?).ok());
        parsed.is_some_and(|parsed| rules.allowed_sans.iter().any(|name| verify_server_name(&parsed, name).is_ok()))
    }

    /// The answer to a request.
    pub(super) async fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let rules = self.rules();
        let mut response = match &rules {
            Some(rules) if !self.admits(rules, request).await => {
                let mut response = plain(StatusCode::UNAUTHORIZED, "a user and a password are asked for\n");
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"tunmon\""));
                response
            }
            _ if ![Method::GET, Method::HEAD].contains(request.method()) => {
                let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
            _ => self.route(request).await,
        };
        let headers = response.headers_mut();
        headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in rules.iter().flat_map(|rules| &rules.headers) {
            headers.insert(HeaderName::clone(name), value.clone());
        }
        response
    }

    async fn admits(&self, rules: &Rules, request: &Request<Incoming>) -> bool {
        self.doorkeeper.admits(rules, header(request.headers(), AUTHORIZATION)).await
    }

    async fn route(&self, request: &Request<Incoming>) -> Response<Body> {
        match request.uri().path() {
            "/" => landing::page(&self.desk).await,
            "/metrics" => self.metrics(request).await,
            "/healthz" | "/livez" | "/-/healthy" => api::health(&self.desk).await,
            "/readyz" | "/-/ready" => api::readiness(&self.desk).await,
            "/api/v1/events" => stream::events(self, request).await,
            path => match path.strip_prefix("/api/v1/") {
                Some(name) => api::answer(&self.desk, name).await,
                None => plain(StatusCode::NOT_FOUND, "no such page; / has links to those there are\n"),
            },
        }
    }

    async fn metrics(&self, request: &Request<Incoming>) -> Response<Body> {
        let Ok(Ok(_turn)) = timeout(PATIENCE, self.scrapes.acquire()).await else {
            return busy("too many scrapes at a time\n");
        };
        let Some(moment) = self.desk.ask(Question::Moment).await else { return unanswered() };
        let format = negotiate(header(request.headers(), ACCEPT).unwrap_or_default());
        let bytes = format.encode(&families(&moment), moment.offset);
        let mut response = if takes_gzip(request.headers()) {
            let mut response = body(gzip(&bytes));
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            response
        } else {
            body(bytes)
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding"));
        response
    }
}

/// A header as text.
pub(super) fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = header(headers, ACCEPT_ENCODING).unwrap_or_default();
    accepted.split(',').any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let is_refused = quality.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse::<f32>() == Ok(0.0));
        ["gzip", "*"].contains(&name.trim()) && !is_refused
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // A vector takes whatever comes.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

/// An answer with these bytes.
pub(super) fn body(bytes: impl Into<Bytes>) -> Response<Body> {
    Response::new(Full::new(bytes.into()).boxed())
}

/// An answer for people.
pub(super) fn plain(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    let mut response = body(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// There is too much to do.
pub(super) fn busy(text: &str) -> Response<Body> {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, text);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// The run does not answer.
pub(super) fn unanswered() -> Response<Body> {
    busy("the event loop does not answer\n")
}
