//! The innermost service of a route's stack: the bound function.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower::Service;

use crate::{
    failure::Failure,
    invocation::{Invocation, Response},
    respond,
    upstream::{BoxFuture, Function},
};

#[derive(Clone)]
pub(super) struct Dispatch(pub(super) Arc<dyn Function>);

impl Service<Invocation> for Dispatch {
    type Response = Response;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Response, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, invocation: Invocation) -> Self::Future {
        let function = Arc::clone(&self.0);
        Box::pin(async move {
            let mut response = function.call(invocation).await?;
            // The header tells the gateway's own failures; a function cannot make one up.
            response.headers_mut().remove(&respond::ERROR);
            Ok(response)
        })
    }
}
