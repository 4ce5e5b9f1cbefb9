//! `retry`: a call that failed is tried again, where that may help and does no harm.

mod backoff;
mod budget;
mod replay;
mod settings;

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::StatusCode;
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt};
use tracing::debug;

pub(crate) use settings::{Retry, RetrySettings};

use self::{budget::Budget, replay::Replay};
use crate::{
    error::{ErrorKind, chain, retry_after},
    failure::{Failure, Retried},
    invocation::{Invocation, Response},
    policy::end::End,
    upstream::{BoxFuture, Function, Tried},
};

/// What an upstream's routes with the same settings share.
#[derive(Debug)]
pub(crate) struct Retries {
    retry: Retry,
    budget: Budget,
    start: Instant,
}

impl Retries {
    pub(super) fn new(retry: Retry) -> Self {
        Self { budget: Budget::new(retry.budget), retry, start: Instant::now() }
    }

    pub(super) fn settings(&self) -> &Retry {
        &self.retry
    }

    /// Milliseconds since the start.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// How long to wait before another attempt; `None` where there must not be one.
    fn wait(
        &self,
        failures: u32,
        (reply, end): (&Reply, End),
        harmless: bool,
        left: Option<Duration>,
    ) -> Option<Duration> {
        let Retry { attempts, on, backoff, .. } = &self.retry;
        let is_listed = on.iter().any(|reason| reason.is_end(end));
        if failures >= *attempts || !is_listed || !(harmless || did_nothing(reply, end)) {
            return None;
        }
        let wait = backoff.pause(failures).max(asked(reply).unwrap_or_default());
        (left.is_none_or(|left| wait < left) && self.budget.take(self.now())).then_some(wait)
    }
}

type Reply = Result<Response, Failure>;

#[derive(Clone)]
pub(super) struct Retrying<S> {
    pub(super) inner: S,
    pub(super) retries: Arc<Retries>,
    /// Knows whether a call may be made twice.
    pub(super) function: Arc<dyn Function>,
}

impl<S> Service<Invocation> for Retrying<S>
where
    S: Service<Invocation, Response = Response, Error = Failure> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Failure;
    type Future = BoxFuture<'static, Reply>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, invocation: Invocation) -> Self::Future {
        let Self { inner, retries, function } = self.clone();
        Box::pin(async move { attempts(inner, &retries, &*function, invocation).await })
    }
}

async fn attempts<S>(inner: S, retries: &Retries, function: &dyn Function, invocation: Invocation) -> Reply
where
    S: Service<Invocation, Response = Response, Error = Failure> + Clone,
{
    retries.budget.request(retries.now());
    let harmless = function.is_idempotent(&invocation);
    let Invocation { request, mut context } = invocation;
    Arc::make_mut(&mut context).tried = Some(Tried::default());
    let (head, body) = request.into_parts();
    let replay = Replay::new(body, retries.retry.buffer);
    let mut before = Vec::new();
    let mut failures = 0;
    loop {
        let request = http::Request::from_parts(head.clone(), replay.next());
        let reply = inner.clone().oneshot(Invocation { request, context: Arc::clone(&context) }).await;
        failures += 1;
        let left = context.deadline.map(|deadline| Instant::from_std(deadline).duration_since(Instant::now()));
        let end = End::of(&reply);
        let wait = match end.is_good() || !replay.is_complete() {
            true => None,
            false => retries.wait(failures, (&reply, end), harmless, left),
        };
        let Some(wait) = wait else {
            return reply.map_err(|last| match before.is_empty() {
                true => last,
                false => Failure::Retried(Box::new(Retried { last, before })),
            });
        };
        let told = told(&reply);
        let (request_id, route) = (context.request_id, &*context.route.name);
        debug!(%request_id, route, attempt = failures, error = told, pause = ?wait, "A call is tried again.");
        before.push(told);
        drop(reply);
        sleep(wait).await;
    }
}

/// Whether what was asked has not been done, so that even a call that must not be made twice may be tried again: the
/// upstream's kind is certain of it, or the function chose to fail. A status is the function's own word; those by which
/// something on the way says that it does not know are none, and a status of gRPC may have been told by any of both.
fn did_nothing(reply: &Reply, end: End) -> bool {
    match reply {
        Ok(response) => {
            let unknown = [StatusCode::REQUEST_TIMEOUT, StatusCode::BAD_GATEWAY, StatusCode::GATEWAY_TIMEOUT];
            end.status == Some(response.status()) && !unknown.contains(&response.status())
        }
        Err(failure) => match failure.cause() {
            Failure::Upstream(error) => {
                let refused = [ErrorKind::FunctionError, ErrorKind::Denied, ErrorKind::Unroutable];
                error.is_not_executed() || refused.contains(&error.kind())
            }
            _ => false,
        },
    }
}

/// How long the upstream asks to wait.
fn asked(reply: &Reply) -> Option<Duration> {
    match reply {
        Ok(response) => retry_after(response.headers()),
        Err(failure) => failure.retry_after(),
    }
}

/// How an attempt ended, for the log.
fn told(reply: &Reply) -> String {
    match reply {
        Ok(response) => format!("status {}", response.status().as_u16()),
        Err(failure) => chain(failure),
    }
}
