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
/// The most that one watch brings in its two minutes: eight times what the largest clusters have.
const MOST_OF_WATCH: usize = 256 << 20;
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
            Ok(response.map(|inner| Limited { inner, watch, length: 0, total: 0 }))
        })
    }
}

/// A body that ends with an error when it is too long. A watch is one line an event, and each has its own length.
pub(super) struct Limited<B> {
    inner: B,
    watch: Option<Arc<Notify>>,
    /// Bytes of this line; of a reply that is no watch, all.
    length: usize,
    total: usize,
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
        body.total += data.len();
        if body.total > MOST_OF_WATCH {
            return Poll::Ready(Some(Err("a watch brings too much".into())));
        }
        if body.length > MOST_BYTES {
            return Poll::Ready(Some(Err(format!("an answer is longer than {} MiB", MOST_BYTES >> 20).into())));
        }
        body.watch.iter().for_each(|answers| answers.notify_one());
        Poll::Ready(Some(Ok(frame)))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::task::Waker;

    use super::*;

    /// The same chunk for ever.
    struct Endless(&'static [u8]);

    impl Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.0)))))
        }
    }

    /// Bytes until an end comes.
    fn passed(chunk: &'static [u8], is_watch: bool) -> (usize, String) {
        let watch = is_watch.then(Arc::default);
        let mut body = Limited { inner: Endless(chunk), watch, length: 0, total: 0 };
        let mut count = 0;
        loop {
            match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Some(Ok(frame))) => count += frame.data_ref().map_or(0, Bytes::len),
                Poll::Ready(Some(Err(error))) => return (count, error.to_string()),
                Poll::Ready(None) | Poll::Pending => unreachable!("it has no end"),
            }
        }
    }

    static CHUNK: [u8; 1 << 16] = [b'\n'; 1 << 16];

    #[test]
    fn replies_lines_and_watches_have_an_end() {
        let too_long = "an answer is longer than 2 MiB".to_owned();
        assert_eq!(passed(&CHUNK, false), (MOST_BYTES, too_long.clone()));
        assert_eq!(passed(&[b'x'; 1 << 16], true), (MOST_BYTES, too_long));
        assert_eq!(passed(&CHUNK, true), (MOST_OF_WATCH, "a watch brings too much".to_owned()));
    }
}
