//! `timeout`: the exchange ends in time, with an answer if nothing was answered yet.

mod settings;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};
use tower::Service;

pub(crate) use settings::{Timeout, Times};

use super::body::timed;
use crate::{
    body::{Body, BodyError},
    failure::Failure,
    invocation::{Invocation, Response},
    respond,
};

/// The bounds of the whole exchange.
#[derive(Clone)]
pub(super) struct Deadline<S> {
    pub(super) inner: S,
    /// How long nothing may come of a reply's body.
    pub(super) idle: Option<Duration>,
}

impl<S> Service<Invocation> for Deadline<S>
where
    S: Service<Invocation, Response = Response, Error = Failure>,
{
    type Response = Response;
    type Error = Failure;
    type Future = InTime<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut invocation: Invocation) -> Self::Future {
        let (deadline, body_until) = (invocation.context.deadline, invocation.context.stream_deadline);
        let waits = deadline.and_then(|_| awaited(&mut invocation));
        InTime {
            reply: self.inner.call(invocation),
            over: deadline.map(|deadline| sleep_until(deadline.into())),
            waits,
            body_until,
            idle: self.idle,
        }
    }
}

/// The bound of one attempt, which is over with the whole exchange at the latest: so that whoever is around it sees the
/// failure, and not only that nobody waits any more.
#[derive(Clone)]
pub(super) struct OneAttempt<S> {
    pub(super) inner: S,
    pub(super) limit: Option<Duration>,
}

impl<S> Service<Invocation> for OneAttempt<S>
where
    S: Service<Invocation, Response = Response, Error = Failure>,
{
    type Response = Response;
    type Error = Failure;
    type Future = InTime<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut invocation: Invocation) -> Self::Future {
        let whole = invocation.context.deadline;
        let own = self.limit.map(|limit| (tokio::time::Instant::now() + limit).into_std());
        let over = own.into_iter().chain(whole).min();
        if over != whole {
            // The function is told of its own time.
            Arc::make_mut(&mut invocation.context).deadline = over;
        }
        let waits = awaited(&mut invocation);
        let over = over.map(|over| sleep_until(over.into()));
        InTime { reply: self.inner.call(invocation), over, waits, body_until: None, idle: None }
    }
}

pin_project! {
    /// A reply that comes in time or not at all.
    pub(super) struct InTime<F> {
        #[pin]
        reply: F,
        #[pin]
        over: Option<Sleep>,
        waits: Option<Arc<AtomicBool>>,
        body_until: Option<Instant>,
        idle: Option<Duration>,
    }
}

impl<F: Future<Output = Result<Response, Failure>>> Future for InTime<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Poll::Ready(reply) = this.reply.poll(cx) {
            let response = reply?;
            let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            return Poll::Ready(Ok(match (*this.body_until, *this.idle) {
                (None, None) => response,
                _ if upgraded => response,
                (until, idle) => response.map(|body| timed(body, until, idle)),
            }));
        }
        let Some(over) = this.over.as_pin_mut() else { return Poll::Pending };
        over.poll(cx).map(|()| {
            Err(match this.waits {
                Some(waits) if waits.load(Ordering::Relaxed) => Failure::RequestBody(BodyError::TimedOut),
                _ => Failure::TimedOut,
            })
        })
    }
}

/// Lets the body of a request tell whether more of it is waited for: who is too slow then is the client.
///
/// A gRPC client may hold its side open while it waits for the reply, so that nothing is told of one.
fn awaited(invocation: &mut Invocation) -> Option<Arc<AtomicBool>> {
    let request = &mut invocation.request;
    if request.body().as_bytes().is_some() || respond::speaks_grpc(request.headers()) {
        return None;
    }
    let waits = Arc::new(AtomicBool::new(false));
    let body = std::mem::take(request.body_mut());
    *request.body_mut() = Body::new(Awaited { body, waits: Arc::clone(&waits) });
    Some(waits)
}

struct Awaited {
    body: Body,
    waits: Arc<AtomicBool>,
}

impl HttpBody for Awaited {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.waits.store(frame.is_pending(), Ordering::Relaxed);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
