//! The function of a route that answers by itself. `respond` and `redirect` are steps on its empty reply.

use std::{future::ready, sync::Arc};

use crate::{
    error::UpstreamError,
    invocation::{Invocation, Response},
    upstream::{BoxFuture, Function},
};

/// Answers 200 without a body; what the route says is made of it by its innermost response step.
#[derive(Debug)]
pub(crate) struct Respond;

impl Function for Respond {
    fn call(self: Arc<Self>, _: Invocation) -> BoxFuture<'static, Result<Response, UpstreamError>> {
        Box::pin(ready(Ok(Response::default())))
    }
}
