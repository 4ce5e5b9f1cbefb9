//! The transformation of a route as a layer: what is buffered, and when the steps run.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use callgate_transform::{Bodyless, Content, Payload, RequestPipeline, ResponsePipeline};
use futures_util::FutureExt;
use http::{HeaderMap, Method, StatusCode, header};
use http_body::Body as _;
use tokio::time::timeout_at;
use tower::{Service, ServiceExt};

use super::end::End;
use crate::{
    body::{Body, BodyError},
    document::Sources,
    error::chain,
    failure::Failure,
    invocation::{CallContext, Invocation, Response},
    observe::{Reshaped, log_failure},
    respond::{self, Code, Speech},
    upstream::BoxFuture,
};

/// The steps of both directions.
#[derive(Debug, Default)]
pub(crate) struct Pipelines {
    pub(crate) request: RequestPipeline,
    pub(crate) response: ResponsePipeline,
    /// The files that the steps are written in, to say where one failed.
    pub(crate) sources: Arc<Sources>,
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
        speech: Speech,
    ) -> Result<Response, Failure> {
        if self.response.is_empty() {
            return reply;
        }
        let context = CallContext { deadline: None, ..context };
        shape_reply(self, reply, context, speech).now_or_never().unwrap_or(Err(Failure::TimedOut))
    }
}

impl Pipelines {
    /// Shapes the answer to a request that was refused before the steps, as they would shape a failure behind them.
    pub(super) async fn refused(
        &self,
        failure: Failure,
        invocation: Invocation,
        speech: Speech,
    ) -> Result<Response, Failure> {
        if !self.response.reshapes_errors() {
            return Err(failure);
        }
        let mut context = Arc::unwrap_or_clone(invocation.context);
        if self.response.reads_request() {
            context.exchange.keep_request(&invocation.request, &Payload::Streaming);
        }
        shape_reply(self, Err(failure), context, speech).await
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
            if pipelines.response.is_empty() {
                shape_request(&pipelines, &mut invocation).await?;
                return inner.oneshot(invocation).await;
            }
            let speech = Speech::of(invocation.request.headers());
            let shaped = shape_request(&pipelines, &mut invocation).await;
            let context = Arc::clone(&invocation.context);
            let reply = match shaped {
                Ok(()) => inner.oneshot(invocation).await,
                Err(failure) => Err(failure),
            };
            shape_reply(&pipelines, reply, Arc::unwrap_or_clone(context), speech).await
        })
    }
}

async fn shape_request(pipelines: &Pipelines, invocation: &mut Invocation) -> Result<(), Failure> {
    let deadline = invocation.context.deadline;
    let limit = invocation.context.max_body;
    let request = &mut invocation.request;
    let exchange = &mut Arc::make_mut(&mut invocation.context).exchange;
    let kept = pipelines.response.reads_request();
    if kept {
        // A failure to read the body is reshaped by steps that may look at the head.
        exchange.keep_request(request, &Payload::Streaming);
    }
    let body = std::mem::take(request.body_mut());
    let wanted = pipelines.request.reads_body() || pipelines.response.reads_request_body();
    let (mut payload, rest) = if wanted {
        // The upstream was not asked yet: a body that takes too long is the client's.
        let late = |_| Failure::RequestBody(BodyError::TimedOut);
        let whole = in_time(deadline, body.collect_whole(limit)).await.map_err(late)?;
        held(whole.map_err(Failure::request_body)?, limit)
    } else {
        (Payload::Streaming, Rest::Stream(body))
    };
    if kept && wanted {
        exchange.keep_request(request, &payload);
    }
    if pipelines.response.reads_body() || pipelines.response.writes_body() {
        // The steps are written for whole bodies.
        request.headers_mut().remove(header::RANGE);
        request.headers_mut().remove(header::IF_RANGE);
    }
    if !pipelines.request.is_empty() {
        let applied = pipelines.request.apply(request, &mut payload, exchange);
        applied.map_err(|error| Failure::transformation(error, &pipelines.sources))?;
    }
    *request.body_mut() = put_back(payload, rest);
    Ok(())
}

async fn in_time<T>(deadline: Option<Instant>, work: impl Future<Output = T>) -> Result<T, Failure> {
    match deadline {
        Some(deadline) => timeout_at(deadline.into(), work).await.map_err(|_| Failure::TimedOut),
        None => Ok(work.await),
    }
}

async fn shape_reply(
    pipelines: &Pipelines,
    reply: Result<Response, Failure>,
    mut context: CallContext,
    speech: Speech,
) -> Result<Response, Failure> {
    match reply {
        Ok(response) => run(pipelines, response, &mut context, None).await,
        Err(failure) if pipelines.response.reshapes_errors() => {
            let (code, reason) = (Code::from(&failure), chain(&failure));
            log_failure(&failure, &reason, context.request_id, Some(&context.route));
            let problem = || respond::respond(&failure, context.request_id, speech);
            let (first, last) = (problem(), problem());
            let mut answer = match run(pipelines, first, &mut context, Some(code.as_str())).await {
                Ok(shaped) => shaped,
                Err(second) => {
                    log_failure(&second, &chain(&second), context.request_id, Some(&context.route));
                    last
                }
            };
            answer.extensions_mut().insert(Reshaped { code, end: End::of_failure(&failure), reason });
            Ok(answer)
        }
        Err(failure) => Err(failure),
    }
}

async fn run(
    pipelines: &Pipelines,
    mut response: Response,
    context: &mut CallContext,
    error: Option<&str>,
) -> Result<Response, Failure> {
    let steps = &pipelines.response;
    let failed = |error| Failure::transformation(error, &pipelines.sources);
    let (status, body) = (response.status(), response.body());
    if let Some(bodyless) = bodyless(status, steps.reads_body() && body.is_end_stream(), &context.origin.method) {
        steps.apply_without_body(&mut response, bodyless, &mut context.exchange).map_err(failed)?;
        return Ok(response);
    }
    let body = std::mem::take(response.body_mut());
    let limit = context.max_body;
    let (mut payload, rest) = if steps.reads_body() {
        let whole = in_time(context.deadline, body.collect_whole(limit)).await?;
        held(whole.map_err(Failure::reply_body)?, limit)
    } else {
        (Payload::Streaming, Rest::Stream(body))
    };
    steps.apply(&mut response, &mut payload, &mut context.exchange, error).map_err(failed)?;
    *response.body_mut() = put_back(payload, rest);
    Ok(response)
}

/// Why the reply has no body that steps could read or replace, if it has none by its nature.
fn bodyless(status: StatusCode, lacks_body: bool, method: &Method) -> Option<Bodyless> {
    if status.is_informational() {
        Some(Bodyless::Upgrade)
    } else if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || (method == Method::HEAD && lacks_body)
    {
        Some(Bodyless::Reply)
    } else {
        None
    }
}

/// What of a message's body the steps do not get.
enum Rest {
    /// The body itself, as none of them reads it.
    Stream(Body),
    /// What came after the bytes, and the bytes by which it is told whether they still are the body.
    Trailers(Option<HeaderMap>, Bytes),
}

/// A body for the steps to read.
fn held((bytes, trailers): (Bytes, Option<HeaderMap>), limit: u64) -> (Payload, Rest) {
    (Payload::Buffered(Content::new(bytes.clone(), limit)), Rest::Trailers(trailers, bytes))
}

/// The body after the steps: what they made of it, or the stream that none of them touched. Trailers belong to the
/// body that they came with, and go with it when a step replaces it.
fn put_back(payload: Payload, rest: Rest) -> Body {
    match (payload, rest) {
        (Payload::Streaming, Rest::Stream(body)) => body,
        (Payload::Streaming, Rest::Trailers(..)) => Body::empty(),
        (Payload::Buffered(content), rest) => {
            let bytes = content.into_bytes();
            match rest {
                Rest::Trailers(Some(trailers), read) if is_same(&bytes, &read) => Body::with_trailers(bytes, trailers),
                _ => Body::from(bytes),
            }
        }
    }
}

/// Whether these are the bytes that were read, and not merely equal ones.
fn is_same(one: &Bytes, other: &Bytes) -> bool {
    one.len() == other.len() && (one.is_empty() || one.as_ptr() == other.as_ptr())
}
