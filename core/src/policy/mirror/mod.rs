//! `mirror`: another function gets a copy of requests; what it answers interests nobody.

mod settings;

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as Task, Poll, ready},
};

use bytes::Bytes;
use http::{Request, header, request::Parts};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};
use tracing::debug;

pub(crate) use settings::{Copies, MirrorSettings};

use super::stack::Stack;
use crate::{
    body::{Body, BodyError},
    error::chain,
    failure::Failure,
    gateway::Destination,
    invocation::{CallContext, Invocation, Response},
    upstream::{BoxFuture, Context},
};

/// How many copies of a route's requests may be under way; what comes beyond is not copied.
const MOST: usize = 32;

/// Where copies go.
pub(crate) struct Mirror {
    copies: Copies,
    destination: Destination,
    /// The destination's upstream's: the copies end with it.
    context: Context,
    running: Arc<AtomicUsize>,
}

impl Mirror {
    pub(crate) fn new(copies: Copies, destination: Destination, context: Context) -> Self {
        Self { copies, destination, context, running: Arc::default() }
    }

    /// Sees to it that a copy of a request goes out once its body is read, if its lot is drawn. The request itself is
    /// neither held up nor changed.
    fn copy(self: &Arc<Self>, invocation: &mut Invocation) {
        let request = &mut invocation.request;
        let too_large = request.body().size_hint().lower() > self.copies.buffer;
        if too_large || request.headers().contains_key(header::UPGRADE) || !self.copies.share.draw() {
            return;
        }
        let Some(place) = Place::take(&self.running) else { return };
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = request.method().clone();
        head.uri = request.uri().clone();
        head.headers = request.headers().clone();
        let mut context = (*invocation.context).clone();
        let times = self.destination.policies.timeout;
        let begun = Instant::now();
        context.deadline = Some((begun + times.head).into_std());
        context.stream_deadline = times.total.map(|total| (begun + total).into_std());
        context.max_body = self.destination.policies.max_body;
        let copy = Copy { mirror: Arc::clone(self), place, head, context, kept: Vec::new(), length: 0 };
        match request.body().in_memory() {
            Some(bytes) => copy.send(bytes),
            None => {
                let body = std::mem::take(request.body_mut());
                *request.body_mut() = Body::new(Copied { body, copy: Some(Box::new(copy)) });
            }
        }
    }
}

/// A copy that is under way.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(running: &Arc<AtomicUsize>) -> Option<Self> {
        let room = |running: usize| (running < MOST).then_some(running + 1);
        running.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok().map(|_| Self(Arc::clone(running)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A copy that is being made.
struct Copy {
    mirror: Arc<Mirror>,
    place: Place,
    head: Parts,
    context: CallContext,
    kept: Vec<Bytes>,
    length: u64,
}

impl Copy {
    /// Adds a part of the body; false where it gets too large.
    fn add(&mut self, data: &Bytes) -> bool {
        self.length += data.len() as u64;
        self.kept.push(data.clone());
        self.length <= self.mirror.copies.buffer
    }

    fn finish(self) {
        let bytes = match &*self.kept {
            [one] => one.clone(),
            parts => parts.concat().into(),
        };
        self.send(bytes);
    }

    fn send(self, body: Bytes) {
        let Self { mirror, place, head, context, .. } = self;
        let tasks = mirror.context.clone();
        tasks.spawn_here(async move {
            let _place = place;
            let request_id = context.request_id;
            let invocation = Invocation { request: Request::from_parts(head, body.into()), context: Arc::new(context) };
            let told = match mirror.destination.call(invocation).await {
                Ok(response) => {
                    let status = response.status();
                    // To its end, so that the connection can be used again.
                    drop(timeout(mirror.destination.policies.timeout.head, discard(response.into_body())).await);
                    format!("status {}", status.as_u16())
                }
                Err(failure) => chain(&failure),
            };
            debug!(%request_id, to = mirror.copies.to, outcome = told, "A request was mirrored.");
        });
    }
}

async fn discard(mut body: Body) {
    while let Some(Ok(_)) = body.frame().await {}
}

/// A request's body of which a copy is made as it is read.
struct Copied {
    body: Body,
    copy: Option<Box<Copy>>,
}

impl HttpBody for Copied {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let goes_on = match (&frame, &mut self.copy) {
            (Some(Ok(frame)), Some(copy)) => frame.data_ref().is_none_or(|data| copy.add(data)),
            (Some(Err(_)), _) => false,
            _ => true,
        };
        if !goes_on {
            self.copy = None;
        } else if frame.is_none() || self.body.is_end_stream() {
            // Nobody need ask for what comes after the last byte.
            if let Some(copy) = self.copy.take() {
                copy.finish();
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The layers of a route, with the mirror before them: a copy is what the client sent, and has steps of its own.
pub(super) struct Mirrored {
    pub(super) inner: Box<dyn Stack>,
    pub(super) mirror: Arc<Mirror>,
}

impl Stack for Mirrored {
    fn call(&self, mut invocation: Invocation) -> BoxFuture<'static, Result<Response, Failure>> {
        self.mirror.copy(&mut invocation);
        self.inner.call(invocation)
    }
}
