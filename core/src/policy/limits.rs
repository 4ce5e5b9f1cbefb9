//! `limits`: a body that says it is too large is refused before the function is called.

use std::task::{Context, Poll};

use tower::Service;

use crate::{
    failure::Failure,
    invocation::{Invocation, Response},
    upstream::BoxFuture,
};

#[derive(Clone)]
pub(super) struct Limits<S>(pub(super) S);

impl<S> Service<Invocation> for Limits<S>
where
    S: Service<
            Invocation,
            Response = Response,
            Error = Failure,
            Future = BoxFuture<'static, Result<Response, Failure>>,
        >,
{
    type Response = Response;
    type Error = Failure;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, invocation: Invocation) -> Self::Future {
        let limit = invocation.context.max_body;
        if invocation.request.body().known_length().is_some_and(|length| length > limit) {
            return Box::pin(std::future::ready(Err(Failure::RequestTooLarge { limit })));
        }
        self.0.call(invocation)
    }
}
