//! Whether a body has any bytes, without losing them.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use callgate_core::{Body, BodyError};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;

/// Waits for the first bytes of a body and gives the whole of it back; `None` when it ends without any.
pub(crate) async fn filled(mut body: Body) -> Result<Option<Body>, BodyError> {
    if let Some(length) = body.known_length() {
        return Ok((length > 0).then_some(body));
    }
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data()
            && !data.is_empty()
        {
            return Ok(Some(Body::new(Begun { first: Some(data), rest: body })));
        }
    }
    Ok(None)
}

/// A body of which the first bytes were read already.
struct Begun {
    first: Option<Bytes>,
    rest: Body,
}

impl HttpBody for Begun {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().map_or(0, |first| first.len() as u64);
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(first));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(first));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::StreamBody;

    use super::*;

    fn streaming(parts: &'static [&'static str]) -> Body {
        let frames = parts.iter().map(|part| match *part {
            "cut" => Err(BodyError::Cut("cut".into())),
            part => Ok(Frame::data(Bytes::from_static(part.as_bytes()))),
        });
        Body::new(StreamBody::new(stream::iter(frames)))
    }

    #[tokio::test]
    async fn bytes_that_were_looked_at_are_not_lost() {
        for body in [streaming(&["", "ab", "c"]), Body::from("abc"), streaming(&["abc"])] {
            assert_eq!(filled(body).await.unwrap().unwrap().collect(3).await.unwrap(), "abc");
        }
    }

    #[tokio::test]
    async fn an_empty_body_is_told() {
        for body in [streaming(&[]), streaming(&["", ""]), Body::empty()] {
            assert!(filled(body).await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_is_not_empty() {
        assert!(filled(streaming(&["", "cut"])).await.is_err());
        let begun = filled(streaming(&["a", "cut"])).await.unwrap().unwrap();
        assert!(begun.collect(9).await.is_err());
    }
}
