//! The function of a route that answers by itself. `respond` and `redirect` are steps on its empty reply.

use std::future::ready;

use crate::{
    error::UpstreamError,
    invocation::{Invocation, Response},
    upstream::{BoxFuture, Function},
};

/// Answers 200 without a body; what the route says is made of it by its innermost response step.
#[derive(Debug)]
pub(crate) struct Respond;

impl Function for Respond {
    fn call(&self, _: Invocation) -> BoxFuture<'_, Result<Response, UpstreamError>> {
        Box::pin(ready(Ok(Response::default())))
    }
}
