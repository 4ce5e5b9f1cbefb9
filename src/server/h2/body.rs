//! The body of a request of HTTP/2 as it comes in.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use callgate_core::Body;
use callgate_http::wire::{Stated, stated_length};
use h2::RecvStream;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::server::activity::Activity;

/// The body that comes behind a head with these headers; without bytes there is nothing to allocate.
pub(super) fn received(stream: RecvStream, headers: &HeaderMap, activity: &Arc<Activity>) -> Body {
    if stream.is_end_stream() {
        return Body::empty();
    }
    let left = match stated_length(headers) {
        Stated::Once(length) => Some(length),
        Stated::Nothing | Stated::Otherwise => None,
    };
    Body::new(Received { stream, left, has_data: true, activity: Arc::clone(activity) })
}

struct Received {
    stream: RecvStream,
    /// Bytes that are still to come, if the head says how many; the crate h2 holds the client to it.
    left: Option<u64>,
    /// Not all of the data was read; trailers come behind it.
    has_data: bool,
    activity: Arc<Activity>,
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let this = &mut *self;
        if this.has_data {
            if let Some(data) = ready!(this.stream.poll_data(cx)) {
                let data = data?;
                // The client may send as much again, unless it has reset the stream.
                this.stream.flow_control().release_capacity(data.len()).ok();
                this.left = this.left.map(|left| left.saturating_sub(data.len() as u64));
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            this.has_data = false;
        }
        let trailers = ready!(this.stream.poll_trailers(cx))?;
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.stream.is_end_stream() {
            self.activity.leaves_body();
        }
    }
}
