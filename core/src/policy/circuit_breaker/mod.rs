//! `circuit_breaker`: an upstream that keeps failing is not called for a while.

mod breaker;
mod settings;

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Instant;
use tower::Service;
use tracing::{info, warn};

pub use breaker::CircuitState;
pub(crate) use settings::{BreakerSettings, Circuit};

use self::breaker::{Breaker, Change, Passed};
use crate::{
    error::{ErrorKind, chain},
    failure::{Failure, Refusal},
    invocation::{Invocation, Response},
    policy::end::End,
    upstream::BoxFuture,
};

/// The circuit of an upstream, with a clock.
#[derive(Debug)]
pub(crate) struct CircuitBreaker {
    upstream: Arc<str>,
    breaker: Breaker,
    start: Instant,
}

impl CircuitBreaker {
    pub(super) fn new(upstream: Arc<str>, circuit: Circuit) -> Self {
        Self { upstream, breaker: Breaker::new(circuit), start: Instant::now() }
    }

    pub(super) fn settings(&self) -> &Circuit {
        self.breaker.circuit()
    }

    pub(super) fn state(&self) -> CircuitState {
        self.breaker.state(self.now())
    }

    /// Milliseconds since the start.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn enter(self: &Arc<Self>) -> Result<Call, Failure> {
        match self.breaker.admit(self.now()) {
            Ok(passed) => Ok(Call { circuit: Arc::clone(self), passed: Some(passed) }),
            Err(left) => Err(refused(left)),
        }
    }
}

fn refused(retry_after: Duration) -> Failure {
    Failure::Refused { by: Refusal::Circuit, retry_after }
}

/// A call that was let through.
struct Call {
    circuit: Arc<CircuitBreaker>,
    passed: Option<Passed>,
}

impl Call {
    fn end(mut self, reply: &Result<Response, Failure>) {
        let Some(passed) = self.passed.take() else { return };
        let CircuitBreaker { upstream, breaker, .. } = &*self.circuit;
        let now = self.circuit.now();
        let end = End::of(reply);
        let change = if breaker.circuit().on.iter().any(|reason| reason.is_end(end)) {
            breaker.failed(passed, now)
        } else if says_nothing(reply) {
            breaker.unknown(passed);
            None
        } else {
            breaker.succeeded(passed, now)
        };
        match change {
            Some(Change::Opened) => {
                let error = match reply {
                    Ok(response) => format!("status {}", response.status().as_u16()),
                    Err(failure) => chain(failure),
                };
                let open = breaker.circuit().open;
                warn!(
                    upstream = &**upstream,
                    error,
                    ?open,
                    "The circuit of an upstream opens: it is not called for a while."
                );
            }
            Some(Change::Closed) => {
                info!(upstream = &**upstream, "The circuit of an upstream closes: it is called again.")
            }
            None => {}
        }
    }
}

/// A call that nobody waits for any more says nothing.
impl Drop for Call {
    fn drop(&mut self) {
        if let Some(passed) = self.passed.take() {
            self.circuit.breaker.unknown(passed);
        }
    }
}

/// Whether a failure is the client's, or the gateway's own, so that the upstream need not have had a part in it.
fn says_nothing(reply: &Result<Response, Failure>) -> bool {
    match reply {
        Ok(_) => false,
        Err(Failure::Upstream(error)) => matches!(error.kind(), ErrorKind::BadInput | ErrorKind::BodyTooLarge),
        Err(_) => true,
    }
}

#[derive(Clone)]
pub(super) struct Guarded<S> {
    pub(super) inner: S,
    pub(super) circuit: Arc<CircuitBreaker>,
}

impl<S> Service<Invocation> for Guarded<S>
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
        match self.circuit.enter() {
            Ok(call) => {
                let reply = self.inner.call(invocation);
                Box::pin(async move {
                    let reply = reply.await;
                    call.end(&reply);
                    reply
                })
            }
            Err(refused) => Box::pin(std::future::ready(Err(refused))),
        }
    }
}
