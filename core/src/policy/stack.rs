//! The inventory of a route's stack, outermost first.

use std::sync::Arc;

use tower::{ServiceBuilder, layer::layer_fn, util::BoxCloneSyncService};

use super::{
    dispatch::Dispatch,
    limits::Limits,
    settings::Policies,
    timeout::Deadline,
    transformation::{Pipelines, Transformation},
};
use crate::{gateway::Destination, upstream::Function};

/// Puts the layers of a route around a function. A route without steps has no transformation layer at all.
pub(crate) fn stack(policies: Policies, pipelines: Pipelines, function: Arc<dyn Function>) -> Destination {
    let guarded = ServiceBuilder::new()
        .layer(layer_fn(Limits))
        .layer(layer_fn(|inner| Deadline { inner, timeout: policies.timeout }))
        .service(Dispatch(function));
    let stack = if pipelines.is_empty() {
        BoxCloneSyncService::new(guarded)
    } else {
        let pipelines = Arc::new(pipelines);
        BoxCloneSyncService::new(Transformation { inner: guarded, pipelines })
    };
    Destination { policies, stack }
}
