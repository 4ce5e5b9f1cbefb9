//! The body of a streamed reply: each chunk is passed on as it comes, and nothing is read ahead of the client.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use callgate_core::chain;
use http_body::Frame;
use tokio::time::{Sleep, sleep, timeout};

use super::{
    Origin,
    event::{Event, Events},
};

/// How long the service's own end of the body is waited for once the function has ended. It follows at once; without it
/// the connection is closed.
const LINGER: Duration = Duration::from_millis(500);

pub(super) struct StreamedReply {
    first: Bytes,
    events: Events,
    origin: Origin,
    state: State,
}

enum State {
    Open,
    /// The function has ended well.
    Complete(Pin<Box<Sleep>>),
    Over,
}

impl StreamedReply {
    pub(super) fn new(first: Bytes, events: Events, origin: Origin) -> Self {
        Self { first, events, origin, state: State::Open }
    }

    /// The next bytes, or the end.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let why = match ready!(self.events.poll_next(cx)) {
            Ok(Event::Chunk(chunk)) => return Poll::Ready(Some(Ok(chunk))),
            Ok(Event::Complete(completion)) => match self.origin.ended(&completion) {
                Ok(()) => {
                    self.state = State::Complete(Box::pin(sleep(LINGER)));
                    return self.poll_complete(cx);
                }
                Err(error) => error,
            },
            Err(error) => self.origin.unreadable(error),
        };
        self.state = State::Over;
        let (error, request) = (chain(&why), &*self.origin.aws_request_id);
        tracing::warn!(
            function = self.origin.function,
            aws_request_id = request,
            error,
            "The reply broke off in its middle."
        );
        // Without an end the client's connection is broken: what came so far must not look whole.
        Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the streamed reply broke off"))))
    }

    fn poll_complete(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let State::Complete(linger) = &mut self.state
            && self.events.poll_end(cx).is_pending()
        {
            ready!(linger.as_mut().poll(cx));
        }
        self.state = State::Over;
        Poll::Ready(None)
    }
}

impl http_body::Body for StreamedReply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if !this.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.first)))));
        }
        let next = match this.state {
            State::Open => ready!(this.poll_open(cx)),
            State::Complete(_) => ready!(this.poll_complete(cx)),
            State::Over => None,
        };
        Poll::Ready(next.map(|bytes| bytes.map(Frame::data)))
    }
}

/// Waits until the body has ended, so that its connection is used again.
pub(super) async fn drained(events: &mut Events) {
    // Where it does not end, its connection is closed, and nothing else changes.
    timeout(LINGER, poll_fn(|cx| events.poll_end(cx))).await.ok();
}
