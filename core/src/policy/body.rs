//! Bodies that end with an error when they get too large or take too long.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Sleep, sleep, sleep_until};

use crate::body::{Body, BodyError};

/// A body that fails once more than `limit` bytes came. One whose length is known to fit is passed on as it is.
pub(crate) fn limited(body: Body, limit: u64) -> Body {
    match body.known_length() {
        Some(length) if length <= limit => body,
        _ => Body::new(Limited { body, left: limit, limit }),
    }
}

/// A body that fails when it has not ended by then, or when nothing came of it for so long.
pub(crate) fn timed(body: Body, until: Option<Instant>, idle: Option<Duration>) -> Body {
    if body.as_bytes().is_some() {
        return body;
    }
    let over = until.map(|until| Box::pin(sleep_until(until.into())));
    Body::new(Timed { body, over, idle: idle.map(|limit| Idle { limit, waits: false, over: Box::pin(sleep(limit)) }) })
}

struct Limited {
    body: Body,
    left: u64,
    limit: u64,
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => {
                    // What comes after it is no body either.
                    self.left = 0;
                    return Poll::Ready(Some(Err(BodyError::TooLarge { limit: self.limit })));
                }
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

struct Timed {
    body: Body,
    over: Option<Pin<Box<Sleep>>>,
    idle: Option<Idle>,
}

/// Time that passes only while something is waited for: not while the client takes its time to read.
struct Idle {
    limit: Duration,
    waits: bool,
    over: Pin<Box<Sleep>>,
}

impl Idle {
    fn is_over(&mut self, waits: bool, cx: &mut Context<'_>) -> bool {
        if waits && !self.waits {
            self.over.as_mut().reset(tokio::time::Instant::now() + self.limit);
        }
        self.waits = waits;
        waits && self.over.as_mut().poll(cx).is_ready()
    }
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.over.as_mut().is_some_and(|over| over.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Some(Err(BodyError::TimedOut)));
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if self.idle.as_mut().is_some_and(|idle| idle.is_over(frame.is_pending(), cx)) {
            return Poll::Ready(Some(Err(BodyError::TimedOut)));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use http_body_util::{BodyExt, StreamBody};

    fn endless() -> Body {
        Body::new(StreamBody::new(stream::repeat_with(|| Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"abcd"))))))
    }

    #[tokio::test]
    async fn a_streamed_body_fails_beyond_its_limit() {
        let mut body = limited(endless(), 6);
        assert!(body.frame().await.unwrap().is_ok());
        assert!(matches!(body.frame().await.unwrap(), Err(BodyError::TooLarge { limit: 6 })));
        assert!(matches!(body.frame().await.unwrap(), Err(BodyError::TooLarge { limit: 6 })));
    }

    #[test]
    fn a_known_length_that_fits_costs_nothing() {
        assert!(limited("abc".into(), 3).as_bytes().is_some());
        assert!(limited("abcd".into(), 3).as_bytes().is_none());
    }

    fn never() -> Body {
        Body::new(StreamBody::new(stream::pending::<Result<Frame<Bytes>, BodyError>>()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_ends_at_its_deadline() {
        let mut body = timed(never(), Some(Instant::now() + Duration::from_secs(3)), None);
        assert!(matches!(body.frame().await.unwrap(), Err(BodyError::TimedOut)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_ends_when_nothing_comes_and_not_while_nobody_reads() {
        let limit = Duration::from_secs(3);
        let mut body = timed(endless(), None, Some(limit));
        assert!(body.frame().await.unwrap().is_ok());
        sleep(limit * 9).await;
        assert!(body.frame().await.unwrap().is_ok());
        let started = tokio::time::Instant::now();
        let mut body = timed(never(), None, Some(limit));
        sleep(limit * 9).await;
        assert!(matches!(body.frame().await.unwrap(), Err(BodyError::TimedOut)));
        assert!(started.elapsed() >= limit * 10, "{:?}", started.elapsed());
    }
}
