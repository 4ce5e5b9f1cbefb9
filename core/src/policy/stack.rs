//! The inventory of a route's stack, outermost first.

use std::{sync::Arc, time::Duration};

use tower::{Service, ServiceBuilder, layer::layer_fn};

use super::{
    admission::{Admission, Admitted},
    cache::{Cached, Replies},
    circuit_breaker::{CircuitBreaker, Guarded},
    concurrency::{Bounded, Gate},
    dispatch::Dispatch,
    guards::Guards,
    limits::Limits,
    mirror::{Mirror, Mirrored},
    retry::{Retries, Retrying},
    settings::Policies,
    timeout::{Deadline, OneAttempt},
    transformation::{Pipelines, Transformation},
};
use crate::{
    failure::Failure,
    gateway::Destination,
    invocation::{Invocation, Response},
    metrics::Series,
    upstream::{BoxFuture, Function},
};

/// The layers of a route, from outside.
pub(crate) trait Stack: Send + Sync {
    fn call(&self, invocation: Invocation) -> BoxFuture<'static, Result<Response, Failure>>;
}

/// The layers are always ready, and a clone is a few reference counts. Their futures lie within each other: a request
/// allocates one for its route and one for its function.
impl<S> Stack for S
where
    S: Service<Invocation, Response = Response, Error = Failure> + Clone + Send + Sync,
    S::Future: Send + 'static,
{
    fn call(&self, invocation: Invocation) -> BoxFuture<'static, Result<Response, Failure>> {
        Box::pin(Service::call(&mut self.clone(), invocation))
    }
}

/// Puts the layers of a route around a function; `guards` are the upstream's whose function it is. What a route does not
/// have is no layer of it.
pub(crate) fn stack(
    policies: Policies,
    pipelines: &Arc<Pipelines>,
    function: Arc<dyn Function>,
    series: Arc<Series>,
    guards: Option<&Guards>,
    mirror: Option<Mirror>,
) -> Destination {
    let idle = policies.timeout.idle;
    let asked = Arc::clone(&function);
    let dispatch = Dispatch { function, series: Arc::clone(&series) };
    let stack = match Attempts::of(&policies, guards) {
        None => {
            let layers =
                ServiceBuilder::new().layer(layer_fn(Limits)).layer(layer_fn(|inner| Deadline { inner, idle }));
            shaped(layers.service(dispatch), pipelines)
        }
        Some(Attempts { limit, retries, circuit, gate }) => {
            let retrying = move |retries| {
                layer_fn(move |inner| Retrying { inner, retries: Arc::clone(&retries), function: Arc::clone(&asked) })
            };
            let guarded = |circuit| layer_fn(move |inner| Guarded { inner, circuit: Arc::clone(&circuit) });
            let bounded = |gate| layer_fn(move |inner| Bounded { inner, gate: Arc::clone(&gate) });
            let layers = ServiceBuilder::new()
                .layer(layer_fn(Limits))
                .layer(layer_fn(|inner| Deadline { inner, idle }))
                .option_layer(retries.map(retrying))
                .option_layer(circuit.map(guarded))
                .option_layer(gate.map(bounded))
                .layer(layer_fn(|inner| OneAttempt { inner, limit }));
            shaped(layers.service(dispatch), pipelines)
        }
    };
    let stack = match mirror {
        Some(mirror) => Box::new(Mirrored { inner: stack, mirror: Arc::new(mirror) }),
        None => stack,
    };
    let stack = match policies.cache {
        Some(keeping) => Box::new(Cached { inner: Arc::from(stack), cache: Arc::new(Replies::new(keeping)) }),
        None => stack,
    };
    Destination { policies, series, stack }
}

/// Puts what lets requests in around all other layers: a copy of a request is made of one that was let in.
pub(crate) fn admitted(destination: Destination, admission: Arc<Admission>, pipelines: Arc<Pipelines>) -> Destination {
    let Destination { policies, stack, series } = destination;
    Destination { policies, stack: Box::new(Admitted { inner: Arc::from(stack), admission, pipelines }), series }
}

/// Puts the steps around the layers. A route without steps has no transformation layer at all.
fn shaped<S>(inner: S, pipelines: &Arc<Pipelines>) -> Box<dyn Stack>
where
    S: Service<Invocation, Response = Response, Error = Failure> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    if pipelines.is_empty() {
        Box::new(inner)
    } else {
        Box::new(Transformation { inner, pipelines: Arc::clone(pipelines) })
    }
}

/// What is around each attempt to call a function. A call to the gateway itself needs none of it.
struct Attempts {
    limit: Option<Duration>,
    retries: Option<Arc<Retries>>,
    circuit: Option<Arc<CircuitBreaker>>,
    gate: Option<Arc<Gate>>,
}

impl Attempts {
    /// `None` where a call is made once, and bounded by the whole exchange alone.
    fn of(policies: &Policies, guards: Option<&Guards>) -> Option<Self> {
        let guards = guards?;
        let attempts = Self {
            limit: policies.timeout.attempt,
            retries: policies.retry.as_ref().map(|retry| guards.retries(retry)),
            circuit: policies.circuit_breaker.as_ref().map(|circuit| guards.circuit(circuit)),
            gate: policies.concurrency.map(|places| guards.gate(places)),
        };
        let Self { limit, retries, circuit, gate } = &attempts;
        let none = limit.is_none() && retries.is_none() && circuit.is_none() && gate.is_none();
        (!none).then_some(attempts)
    }
}
