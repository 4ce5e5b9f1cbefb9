//! The inventory of a route's stack, outermost first.

use std::sync::Arc;

use tower::{Service, ServiceBuilder, layer::layer_fn};

use super::{
    dispatch::Dispatch,
    limits::Limits,
    settings::Policies,
    timeout::Deadline,
    transformation::{Pipelines, Transformation},
};
use crate::{
    failure::Failure,
    gateway::Destination,
    invocation::{Invocation, Response},
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

/// Puts the layers of a route around a function. A route without steps has no transformation layer at all.
pub(crate) fn stack(policies: Policies, pipelines: Pipelines, function: Arc<dyn Function>) -> Destination {
    let guarded = ServiceBuilder::new()
        .layer(layer_fn(Limits))
        .layer(layer_fn(|inner| Deadline { inner, timeout: policies.timeout }))
        .service(Dispatch(function));
    let stack: Box<dyn Stack> = if pipelines.is_empty() {
        Box::new(guarded)
    } else {
        Box::new(Transformation { inner: guarded, pipelines: Arc::new(pipelines) })
    };
    Destination { policies, stack }
}
