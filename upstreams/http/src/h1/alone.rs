//! A connection whose reply has begun while its request is still being sent.

use std::{
    convert::Infallible,
    future::{Future as _, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use callgate_core::{Body, BodyError};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::PollSender;

use super::{broken::Broken, connection::Connection};
use crate::wire::WireError;

/// Lets a task drive the connection to the end of the exchange: each direction goes on by itself, as the client may not
/// read a byte of the reply before it has sent its whole request.
pub(super) fn drive_alone(connection: Box<Connection>) -> Body {
    let context = connection.home.shared.context.clone();
    let hint = connection.link.size_hint();
    let (frames, received) = mpsc::channel(1);
    let (wanted, unwanted) = oneshot::channel();
    let mut driven = Driven { connection, frames: PollSender::new(frames), unwanted };
    context.spawn_here(async move {
        match poll_fn(|cx| driven.poll(cx)).await {
            Ok(()) => driven.connection.give_back(),
            Err(error) => tracing::debug!(%error, "A connection ended while a request was being sent."),
        }
    });
    Body::new(Passed { received, left: hint.exact(), ended: false, _wanted: wanted })
}

/// A frame of the reply, or its end.
type Next = Option<Result<Frame<Bytes>, Broken>>;

struct Driven {
    connection: Box<Connection>,
    frames: PollSender<Next>,
    /// Ends when the reply's body is dropped.
    unwanted: oneshot::Receiver<Infallible>,
}

impl Driven {
    /// Ready when both directions have ended, or one of them makes the other useless.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let link = &mut self.connection.link;
        let sent = if link.is_uploading() { link.poll_upload(cx) } else { Poll::Ready(Ok(())) };
        let received = self.poll_reply(cx)?;
        match sent {
            Poll::Ready(Ok(())) => received.map(Ok),
            Poll::Pending => Poll::Pending,
            // What the peer replies to a request that is cut is of no use. A peer that reads no more may go on replying.
            Poll::Ready(Err(error @ WireError::Body(_))) => Poll::Ready(Err(error.into())),
            Poll::Ready(Err(error)) => received.map(|()| Err(error.into())),
        }
    }

    /// Passes on what has come of the reply; ready at its end.
    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, Broken> {
        if !self.frames.is_closed() && Pin::new(&mut self.unwanted).poll(cx).is_ready() {
            self.frames.close();
        }
        while !self.frames.is_closed() {
            match self.frames.poll_reserve(cx) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(Err(_)) => break,
                Poll::Ready(Ok(())) => {}
            }
            let next = match self.connection.link.poll_frame(cx) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(next) => next,
            };
            let is_last = !matches!(next, Some(Ok(_)));
            if self.frames.send_item(next).is_err() {
                break;
            }
            if is_last {
                self.frames.close();
            }
        }
        // Nobody wants the rest.
        if self.connection.link.is_received() { Ok(Poll::Ready(())) } else { Err(WireError::Cut.into()) }
    }
}

/// The reply's body at the other end.
struct Passed {
    received: mpsc::Receiver<Next>,
    left: Option<u64>,
    ended: bool,
    _wanted: oneshot::Sender<Infallible>,
}

impl HttpBody for Passed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        // A task that is gone has told no end.
        let next = ready!(self.received.poll_recv(cx)).unwrap_or(Some(Err(WireError::Cut.into())));
        self.ended = !matches!(next, Some(Ok(_)));
        if let (Some(Ok(frame)), Some(left)) = (&next, &mut self.left) {
            *left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len) as u64);
        }
        Poll::Ready(next.map(|frame| frame.map_err(|error| BodyError::Cut(error.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
