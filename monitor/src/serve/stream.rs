//! Events: the last ones as an array, or from now on as a stream of server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>). Findings are in the stream too.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::ready;
use futures_util::stream::{once, unfold};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::api::as_json;
use super::desk::Question;
use super::routes::{Body, Server, body, busy, header, unanswered};

/// Streams at a time.
pub(super) const STREAMS: usize = 8;
/// A stream that has nothing to say says that it is there.
const QUIET: Duration = Duration::from_secs(15);
/// Records that go out together.
const TOGETHER: usize = 64;

/// The last events, or a stream of those to come.
pub(super) async fn events(server: &Server, request: &Request<Incoming>) -> Response<Body> {
    let accepted = header(request.headers(), ACCEPT).unwrap_or_default();
    if accepted.split(',').any(|kind| kind.trim().starts_with("text/event-stream")) {
        return stream(server, request.method() == Method::HEAD);
    }
    let Some(events) = server.desk.ask(Question::Events).await else { return unanswered() };
    let mut text = String::from("[");
    for (place, record) in events.iter().enumerate() {
        text.push_str(if place == 0 { "" } else { ",\n" });
        text.push_str(record);
    }
    text.push(']');
    as_json(text)
}

fn stream(server: &Server, is_head: bool) -> Response<Body> {
    let Ok(permit) = server.streams.clone().try_acquire_owned() else {
        return busy("too many streams at a time\n");
    };
    let state = (server.desk.events(), Arc::new(permit));
    let chunks = unfold(state, |(mut events, permit)| async move {
        let text = match timeout(QUIET, events.recv()).await {
            Ok(Ok(line)) => {
                let mut text = event(line.schema, &line.record);
                for _ in 0..TOGETHER {
                    let Ok(line) = events.try_recv() else { break };
                    text += &event(line.schema, &line.record);
                }
                text
            }
            // The client is too slow: it is told how much it has missed, and goes on with what there is.
            Ok(Err(RecvError::Lagged(missed))) => event("missed", &format!("{{\"missed\":{missed}}}")),
            Ok(Err(RecvError::Closed)) => return None,
            Err(_) => ": nothing new\n\n".to_owned(),
        };
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(text))), (events, permit)))
    });
    // What is said at once brings the client its headers, which would wait for the first event else.
    let greeting = once(ready(Ok(Frame::data(Bytes::from_static(b": from now on\n\n")))));
    let chunks = greeting.chain(chunks);
    let mut response =
        if is_head { body("") } else { Response::new(BodyExt::boxed(StreamBody::new(Box::pin(chunks)))) };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

fn event(name: &str, data: &str) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
