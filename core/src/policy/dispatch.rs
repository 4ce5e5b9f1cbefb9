//! The innermost service of a route's stack: the bound function.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{FutureExt, future::Map};
use tower::Service;

use crate::{
    error::UpstreamError,
    failure::Failure,
    invocation::{Invocation, Response},
    respond,
    upstream::{BoxFuture, Function},
};

#[derive(Clone)]
pub(super) struct Dispatch(pub(super) Arc<dyn Function>);

type Reply = Result<Response, UpstreamError>;

impl Service<Invocation> for Dispatch {
    type Response = Response;
    type Error = Failure;
    type Future = Map<BoxFuture<'static, Reply>, fn(Reply) -> Result<Response, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, invocation: Invocation) -> Self::Future {
        Arc::clone(&self.0).call(invocation).map(received)
    }
}

fn received(reply: Reply) -> Result<Response, Failure> {
    let mut response = reply?;
    // The header tells the gateway's own failures; a function cannot make one up.
    response.headers_mut().remove(&respond::ERROR);
    Ok(response)
}
