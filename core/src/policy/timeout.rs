//! `timeout`: the exchange ends in time, with an answer if nothing was answered yet.

use std::task::{Context, Poll};

use tokio::time::timeout_at;
use tower::Service;

use super::{body::until, time_limit::Timeout};
use crate::{
    failure::Failure,
    invocation::{Invocation, Response},
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

    fn call(&mut self, invocation: Invocation) -> Self::Future {
        let deadline = invocation.context.deadline;
        let timeout = self.timeout;
        let reply = self.inner.call(invocation);
        Box::pin(async move {
            let Some(deadline) = deadline else { return reply.await };
            let response = timeout_at(deadline.into(), reply).await.map_err(|_| Failure::TimedOut)??;
            let upgraded = response.status() == http::StatusCode::SWITCHING_PROTOCOLS;
            Ok(match timeout {
                Timeout::Exchange(_) if !upgraded => response.map(|body| until(body, deadline)),
                Timeout::Exchange(_) | Timeout::Head(_) => response,
            })
        })
    }
}
