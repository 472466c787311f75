//! A layer around kube's client: an answer begins in time, and is no longer than it may be.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use hyper::{Request, Response};
use tokio::sync::Notify;
use tower::{BoxError, Layer, Service};

/// The longest reply, and the longest event of a watch. What it becomes in memory may be sixteen times as much: a number of
/// one byte and its comma, in 32 bytes.
const MOST_BYTES: usize = 2 << 20;
/// An answer begins within this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Puts [`Bounded`] around a service.
pub(super) struct Bounding(Arc<Notify>);

/// A service whose answers are bounded.
pub(super) struct Bounded<S> {
    inner: S,
    answers: Arc<Notify>,
}

impl Bounding {
    /// `answers` is told when a watch has begun, and whenever something of it comes.
    pub(super) fn new(answers: Arc<Notify>) -> Self {
        Self(answers)
    }
}

impl<S> Layer<S> for Bounding {
    type Service = Bounded<S>;

    fn layer(&self, inner: S) -> Bounded<S> {
        Bounded { inner, answers: self.0.clone() }
    }
}

impl<S, A, B> Service<Request<A>> for Bounded<S>
where
    S: Service<Request<A>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Limited<B>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let is_watch = request.uri().query().is_some_and(|query| query.split('&').any(|part| part == "watch=true"));
        let answer = tokio::time::timeout(PATIENCE, self.inner.call(request));
        let answers = self.answers.clone();
        Box::pin(async move {
            let response = answer.await.map_err(|_| format!("no answer in {PATIENCE:?}"))??;
            let watch = (is_watch && response.status().is_success()).then_some(answers);
            watch.iter().for_each(|answers| answers.notify_one());
            Ok(response.map(|inner| Limited { inner, watch, length: 0 }))
        })
    }
}

/// A body that ends with an error when it is too long. A watch is one line an event, and each has its own length.
pub(super) struct Limited<B> {
    inner: B,
    watch: Option<Arc<Notify>>,
    length: usize,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Limited<B>
where
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = self.get_mut();
        let frame = match ready!(Pin::new(&mut body.inner).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => return Poll::Ready(None),
        };
        let data = frame.data_ref().map_or(&[][..], |data| data);
        let end = if body.watch.is_some() { data.iter().rposition(|byte| *byte == b'\n') } else { None };
        body.length = end.map_or(body.length + data.len(), |end| data.len() - end - 1);
        if body.length > MOST_BYTES {
            return Poll::Ready(Some(Err(format!("an answer is longer than {} MiB", MOST_BYTES >> 20).into())));
        }
        body.watch.iter().for_each(|answers| answers.notify_one());
        Poll::Ready(Some(Ok(frame)))
    }
}
