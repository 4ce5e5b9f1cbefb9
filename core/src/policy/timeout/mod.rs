//! `timeout`: the exchange ends in time, with an answer if nothing was answered yet.

mod alarm;
mod awaited;
mod settings;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::StatusCode;
use pin_project_lite::pin_project;
use tower::Service;

pub(crate) use self::{
    awaited::Awaited,
    settings::{Timeout, Times},
};

use self::alarm::Alarm;
use super::body::timed;
use crate::{
    body::BodyError,
    failure::Failure,
    invocation::{Invocation, Response},
    respond::Speech,
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
        let client = deadline.and_then(|_| Client::of(&mut invocation));
        InTime {
            reply: self.inner.call(invocation),
            over: deadline.map(Alarm::at),
            client,
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
        let client = Client::of(&mut invocation);
        InTime { reply: self.inner.call(invocation), over: over.map(Alarm::at), client, body_until: None, idle: None }
    }
}

pin_project! {
    /// A reply that comes in time or not at all.
    pub(super) struct InTime<F> {
        #[pin]
        reply: F,
        over: Option<Alarm>,
        client: Option<Client>,
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
        let Some(over) = this.over else { return Poll::Pending };
        over.poll(cx).map(|()| {
            Err(match this.client {
                Some(client) if client.body.is_awaited() => match client.is_grpc {
                    true => Failure::Undecided,
                    false => Failure::RequestBody(BodyError::TimedOut),
                },
                _ => Failure::TimedOut,
            })
        })
    }
}

/// Whose body is watched while a reply is waited for.
struct Client {
    body: Awaited,
    /// It may hold its side open while it waits for the reply, so that both may be waited for.
    is_grpc: bool,
}

impl Client {
    fn of(invocation: &mut Invocation) -> Option<Self> {
        let request = &mut invocation.request;
        let body = Awaited::watch(request.body_mut())?;
        Arc::make_mut(&mut invocation.context).client = Some(body.clone());
        Some(Self { body, is_grpc: Speech::of(request.headers()) == Speech::Grpc })
    }
}
