//! `limits`: a body that says it is too large is refused before the function is called.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
};

use futures_util::future::Either;
use tower::Service;

use crate::{
    failure::Failure,
    invocation::{Invocation, Response},
};

#[derive(Clone)]
pub(super) struct Limits<S>(pub(super) S);

impl<S> Service<Invocation> for Limits<S>
where
    S: Service<Invocation, Response = Response, Error = Failure>,
{
    type Response = Response;
    type Error = Failure;
    type Future = Either<Ready<Result<Response, Failure>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, invocation: Invocation) -> Self::Future {
        let limit = invocation.context.max_body;
        if invocation.request.body().known_length().is_some_and(|length| length > limit) {
            return Either::Left(ready(Err(Failure::RequestTooLarge { limit })));
        }
        Either::Right(self.0.call(invocation))
    }
}
