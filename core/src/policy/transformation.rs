//! The transformation of a route as a layer: what is buffered, and when the steps run.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use callgate_transform::{Content, Exchange, Payload, RequestPipeline, ResponsePipeline};
use futures_util::FutureExt;
use tokio::time::timeout_at;
use tower::{Service, ServiceExt};

use crate::{
    body::Body,
    failure::Failure,
    invocation::{CallContext, Invocation, Response},
    respond::{self, Code},
    upstream::BoxFuture,
};

/// The steps of both directions.
#[derive(Debug, Default)]
pub(crate) struct Pipelines {
    pub(crate) request: RequestPipeline,
    pub(crate) response: ResponsePipeline,
}

impl Pipelines {
    pub(crate) fn is_empty(&self) -> bool {
        self.request.is_empty() && self.response.is_empty()
    }

    /// Shapes a request whose body is in memory, as the gateway would: for what tries a configuration offline.
    ///
    /// Such a body is ready at once, so nothing waits, and no runtime is needed once there is no deadline.
    pub(crate) fn shape_request_at_once(&self, invocation: &mut Invocation) -> Result<(), Failure> {
        let deadline = Arc::make_mut(&mut invocation.context).deadline.take();
        let shaped = shape_request(self, invocation).now_or_never().unwrap_or(Err(Failure::TimedOut));
        Arc::make_mut(&mut invocation.context).deadline = deadline;
        shaped
    }

    /// Shapes a reply whose body is in memory, or a failure, as the gateway would.
    pub(crate) fn shape_reply_at_once(
        &self,
        reply: Result<Response, Failure>,
        context: CallContext,
        grpc: bool,
    ) -> Result<Response, Failure> {
        if self.response.is_empty() {
            return reply;
        }
        shape_reply(&self.response, reply, context, grpc).now_or_never().unwrap_or(Err(Failure::TimedOut))
    }
}

#[derive(Clone)]
pub(super) struct Transformation<S> {
    pub(super) inner: S,
    pub(super) pipelines: Arc<Pipelines>,
}

impl<S> Service<Invocation> for Transformation<S>
where
    S: Service<Invocation, Response = Response, Error = Failure> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Failure;
    type Future = BoxFuture<'static, Result<Response, Failure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut invocation: Invocation) -> Self::Future {
        let (inner, pipelines) = (self.inner.clone(), Arc::clone(&self.pipelines));
        Box::pin(async move {
            let grpc = respond::speaks_grpc(invocation.request.headers());
            let shaped = shape_request(&pipelines, &mut invocation).await;
            let context = Arc::clone(&invocation.context);
            let reply = match shaped {
                Ok(()) => inner.oneshot(invocation).await,
                Err(failure) => Err(failure),
            };
            if pipelines.response.is_empty() {
                return reply;
            }
            shape_reply(&pipelines.response, reply, Arc::unwrap_or_clone(context), grpc).await
        })
    }
}

async fn shape_request(pipelines: &Pipelines, invocation: &mut Invocation) -> Result<(), Failure> {
    let request = &mut invocation.request;
    let deadline = invocation.context.deadline;
    let limit = invocation.context.max_body;
    let body = std::mem::take(request.body_mut());
    let wanted = pipelines.request.reads_body() || pipelines.response.reads_request_body();
    let (mut payload, streamed) = if wanted {
        let collected = body.collect(limit);
        let bytes = match deadline {
            Some(deadline) => timeout_at(deadline.into(), collected).await.map_err(|_| Failure::TimedOut)?,
            None => collected.await,
        };
        (Payload::Buffered(Content::new(bytes.map_err(Failure::request_body)?, limit)), Body::empty())
    } else {
        (Payload::Streaming, body)
    };
    let exchange = &mut Arc::make_mut(&mut invocation.context).exchange;
    let (mut parts, ()) = std::mem::take(request).map(drop).into_parts();
    if pipelines.response.reads_request() {
        exchange.keep_request(&parts, &payload);
    }
    pipelines.request.apply(&mut parts, &mut payload, exchange)?;
    *request = http::Request::from_parts(parts, put_back(payload, streamed));
    Ok(())
}

async fn shape_reply(
    steps: &ResponsePipeline,
    reply: Result<Response, Failure>,
    mut context: CallContext,
    grpc: bool,
) -> Result<Response, Failure> {
    match reply {
        Ok(response) => run(steps, response, &mut context.exchange, None, context.max_body).await,
        Err(failure) if steps.reshapes_errors() => {
            let code = Code::from(&failure);
            crate::observe::log_failure(&failure, context.request_id, Some(&context.route));
            let problem = respond::respond(&failure, context.request_id, grpc);
            run(steps, problem, &mut context.exchange, Some(code.as_str()), context.max_body).await
        }
        Err(failure) => Err(failure),
    }
}

async fn run(
    steps: &ResponsePipeline,
    response: Response,
    exchange: &mut Exchange,
    error: Option<&str>,
    limit: u64,
) -> Result<Response, Failure> {
    let (mut parts, body) = response.into_parts();
    let (mut payload, streamed) = if steps.reads_body() {
        let bytes = body.collect(limit).await.map_err(Failure::reply_body)?;
        (Payload::Buffered(Content::new(bytes, limit)), Body::empty())
    } else {
        (Payload::Streaming, body)
    };
    steps.apply(&mut parts, &mut payload, exchange, error)?;
    Ok(Response::from_parts(parts, put_back(payload, streamed)))
}

/// The body after the steps: what they made of it, or the stream that none of them touched.
fn put_back(payload: Payload, streamed: Body) -> Body {
    match payload {
        Payload::Streaming => streamed,
        Payload::Buffered(content) => Body::from(content.into_bytes()),
    }
}
