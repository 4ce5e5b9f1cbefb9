//! `timeout`: the exchange ends in time, with an answer if nothing was answered yet.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use tokio::time::timeout_at;
use tower::Service;

use super::{body::until, time_limit::Timeout};
use crate::{
    body::{Body, BodyError},
    failure::Failure,
    invocation::{Invocation, Response},
    respond,
    upstream::BoxFuture,
};

#[derive(Clone)]
pub(super) struct Deadline<S> {
    pub(super) inner: S,
    pub(super) timeout: Timeout,
}

impl<S> Service<Invocation> for Deadline<S>
where
    S: Service<Invocation, Response = Response, Error = Failure>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Response, Failure>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut invocation: Invocation) -> Self::Future {
        let deadline = invocation.context.deadline;
        let timeout = self.timeout;
        let waits = deadline.and_then(|_| awaited(&mut invocation));
        let reply = self.inner.call(invocation);
        Box::pin(async move {
            let Some(deadline) = deadline else { return reply.await };
            let late = |_| match waits {
                Some(waits) if waits.load(Ordering::Relaxed) => Failure::RequestBody(BodyError::TimedOut),
                _ => Failure::TimedOut,
            };
            let response = timeout_at(deadline.into(), reply).await.map_err(late)??;
            let upgraded = response.status() == http::StatusCode::SWITCHING_PROTOCOLS;
            Ok(match timeout {
                Timeout::Exchange(_) if !upgraded => response.map(|body| until(body, deadline)),
                Timeout::Exchange(_) | Timeout::Head(_) => response,
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
