//! The innermost service of a route's stack: the bound function.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tower::Service;

use crate::{
    error::UpstreamError,
    failure::Failure,
    invocation::{Invocation, Response},
    metrics::{Meter, Series, spend},
    observe::{Called, TracedCall},
    respond::{self, Code},
    upstream::{BoxFuture, Function},
};

#[derive(Clone)]
pub(super) struct Dispatch {
    pub(super) function: Arc<dyn Function>,
    pub(super) series: Arc<Series>,
}

impl Service<Invocation> for Dispatch {
    type Response = Response;
    type Error = Failure;
    type Future = Call;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut invocation: Invocation) -> Self::Future {
        let began = Instant::now();
        let span = invocation.context.span.clone().map(|span| Box::new(span.call(invocation.request.headers_mut())));
        let function = Arc::clone(&self.function);
        let reply = match invocation.context.recorder.clone() {
            None => function.call(invocation),
            Some(recorder) => recorder.call(function, &self.series, invocation),
        };
        Call { reply, series: Arc::clone(&self.series), began, span, over: false }
    }
}

/// A call under way, which is counted when it ends.
pub(super) struct Call {
    reply: BoxFuture<'static, Result<Response, UpstreamError>>,
    series: Arc<Series>,
    began: Instant,
    span: Option<Box<TracedCall>>,
    over: bool,
}

impl Call {
    fn told(&mut self, took: Duration, called: &Called) {
        if let Some(span) = self.span.take() {
            span.end(&self.series, took, called);
        }
    }
}

impl Future for Call {
    type Output = Result<Response, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = ready!(self.reply.as_mut().poll(cx));
        self.over = true;
        let took = self.began.elapsed();
        spend(took);
        let mut response = match reply {
            Ok(response) => response,
            Err(error) => {
                let failure = Failure::from(error);
                let code = Code::from(&failure);
                self.series.replied(Some(code), took);
                self.told(took, &Called::Failed(code));
                return Poll::Ready(Err(failure));
            }
        };
        self.series.replied(None, took);
        self.told(took, &Called::Replied(response.status()));
        match response.body_mut().meter() {
            Some(meter) => *meter = Some(Meter::of_call(&self.series, self.began)),
            None => self.series.reply_ended(took),
        }
        // The header tells the gateway's own failures; a function cannot make one up.
        if response.headers().keys().any(|name| *name == respond::ERROR) {
            response.headers_mut().remove(&respond::ERROR);
        }
        Poll::Ready(Ok(response))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.over {
            let took = self.began.elapsed();
            spend(took);
            self.series.gave_up(took);
            self.told(took, &Called::GivenUp);
        }
    }
}
