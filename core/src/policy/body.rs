//! Bodies that end with an error when they get too large or take too long.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Sleep, sleep_until};

use crate::body::{Body, BodyError};

/// A body that fails once more than `limit` bytes came. One whose length is known to fit is passed on as it is.
pub(crate) fn limited(body: Body, limit: u64) -> Body {
    match body.known_length() {
        Some(length) if length <= limit => body,
        _ => Body::new(Limited { body, left: limit, limit }),
    }
}

/// A body that fails when it has not ended by then.
pub(crate) fn until(body: Body, deadline: Instant) -> Body {
    if body.as_bytes().is_some() {
        return body;
    }
    Body::new(Until { body, deadline: Box::pin(sleep_until(deadline.into())) })
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
                None => return Poll::Ready(Some(Err(BodyError::TooLarge { limit: self.limit }))),
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

struct Until {
    body: Body,
    deadline: Pin<Box<Sleep>>,
}

impl HttpBody for Until {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(BodyError::TimedOut)));
        }
        Pin::new(&mut self.body).poll_frame(cx)
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
    use std::time::Duration;

    fn endless() -> Body {
        Body::new(StreamBody::new(stream::repeat_with(|| Ok::<_, BodyError>(Frame::data(Bytes::from_static(b"abcd"))))))
    }

    #[tokio::test]
    async fn a_streamed_body_fails_beyond_its_limit() {
        let mut body = limited(endless(), 6);
        assert!(body.frame().await.unwrap().is_ok());
        assert!(matches!(body.frame().await.unwrap(), Err(BodyError::TooLarge { limit: 6 })));
    }

    #[test]
    fn a_known_length_that_fits_costs_nothing() {
        assert!(limited("abc".into(), 3).as_bytes().is_some());
        assert!(limited("abcd".into(), 3).as_bytes().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_ends_at_its_deadline() {
        let never = Body::new(StreamBody::new(stream::pending::<Result<Frame<Bytes>, BodyError>>()));
        let mut body = until(never, Instant::now() + Duration::from_secs(3));
        assert!(matches!(body.frame().await.unwrap(), Err(BodyError::TimedOut)));
    }
}
