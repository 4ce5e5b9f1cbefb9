//! The bodies of requests and responses of HTTP/2, which note their end.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use callgate_core::{Body, BodyError};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::activity::Activity;

/// A request that runs, from its head to its response's end.
#[derive(Debug)]
pub(super) struct Running(Arc<Activity>);

impl Running {
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        activity.request_begins();
        Self(Arc::clone(activity))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.request_ends();
    }
}

/// The body of a request as it comes in; without bytes there is nothing to allocate.
pub(super) fn received(incoming: Incoming, activity: &Arc<Activity>) -> Body {
    if incoming.is_end_stream() {
        return Body::empty();
    }
    Body::new(Received { incoming, activity: Arc::clone(activity) })
}

struct Received {
    incoming: Incoming,
    activity: Arc<Activity>,
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.incoming).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.incoming.is_end_stream() {
            self.activity.leaves_body();
        }
    }
}

/// The body of a response on its way out.
pub(super) struct Sent {
    body: Body,
    _running: Running,
}

impl Sent {
    /// The body of the response to a request.
    pub(super) fn new(body: Body, running: Running) -> Self {
        Self { body, _running: running }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
