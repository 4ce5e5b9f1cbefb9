//! A reply of gRPC: messages, then the status.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use callgate_core::{Body, Response};
use callgate_http::WebStatus;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::Body as _;

use crate::{
    error::Refused,
    frame::{Decoder, Encoding},
    status::Status,
};

const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// The next thing in a reply.
#[derive(Debug)]
pub(crate) enum Item {
    Message(Bytes),
    /// The status, and the trailers that it came with.
    End(Status, HeaderMap),
}

/// The messages of a reply, as they come.
#[derive(Debug)]
pub(crate) struct Messages {
    body: Body,
    decoder: Decoder,
    /// The head's own status, for a reply that has nothing else.
    early: Option<Status>,
}

impl Messages {
    /// Reads a reply's head; a message may have so many bytes.
    ///
    /// # Errors
    /// It is no reply of gRPC.
    pub(crate) fn open(reply: Response, limit: u64) -> Result<(HeaderMap, Self), Refused> {
        let (head, body) = reply.into_parts();
        let early = Status::read(&head.headers);
        if early.is_none() {
            if head.status != StatusCode::OK {
                return Err(Refused::Status(WebStatus::of(head.status, &head.headers)));
            }
            if !is_grpc(&head.headers) {
                let kind = head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
                return Err(Refused::NoGrpc(String::from_utf8_lossy(kind).into_owned()));
            }
        }
        let decoder = Decoder::new(Encoding::of(head.headers.get(ENCODING)), limit);
        Ok((head.headers, Self { body, decoder, early }))
    }

    /// The next message, or the end.
    pub(crate) async fn next(&mut self) -> Result<Item, Refused> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Item, Refused>> {
        loop {
            if let Some(message) = self.decoder.next()? {
                return Poll::Ready(Ok(Item::Message(message)));
            }
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Err(Refused::body(&error))),
                None => {
                    self.decoder.end()?;
                    let early = self.early.take().ok_or(Refused::NoStatus);
                    return Poll::Ready(early.map(|status| Item::End(status, HeaderMap::new())));
                }
            };
            match frame.into_data() {
                Ok(piece) => self.decoder.push(&piece),
                Err(frame) => {
                    self.decoder.end()?;
                    let trailers = frame.into_trailers().unwrap_or_default();
                    let status = Status::read(&trailers).or_else(|| self.early.take()).ok_or(Refused::NoStatus);
                    return Poll::Ready(status.map(|status| Item::End(status, trailers)));
                }
            }
        }
    }
}

/// Whether a reply says that it is one of gRPC.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use callgate_core::ErrorKind;
    use futures_util::{FutureExt, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;
    use crate::status::Code;

    fn reply(headers: &[(&str, &str)], frames: Vec<Frame<Bytes>>) -> Response {
        let body = StreamBody::new(stream::iter(frames.into_iter().map(Ok::<_, Infallible>)));
        let mut reply = http::Response::builder();
        for (name, value) in headers {
            reply = reply.header(*name, *value);
        }
        reply.body(Body::new(body)).unwrap()
    }

    fn trailers(status: &str) -> Frame<Bytes> {
        let trailers = [(HeaderName::from_static("grpc-status"), status.parse().unwrap())];
        Frame::trailers(HeaderMap::from_iter(trailers))
    }

    /// How many messages came, and the status.
    fn read(reply: Response) -> Result<(usize, Code), Refused> {
        let (_, mut messages) = Messages::open(reply, 1000)?;
        let mut count = 0;
        loop {
            match messages.next().now_or_never().unwrap()? {
                Item::Message(_) => count += 1,
                Item::End(status, _) => return Ok((count, status.code)),
            }
        }
    }

    const GRPC: (&str, &str) = ("content-type", "application/grpc");

    #[test]
    fn a_status_is_in_the_trailers_or_in_a_head_alone() {
        let data = || Frame::data(Bytes::from_static(&[0, 0, 0, 0, 1, b'x', 0, 0, 0, 0, 0]));
        assert_eq!(read(reply(&[GRPC], vec![data(), trailers("0")])).unwrap(), (2, Code::OK));
        assert_eq!(read(reply(&[GRPC, ("grpc-status", "5")], vec![])).unwrap(), (0, Code::NOT_FOUND));
        assert_eq!(read(reply(&[("grpc-status", "5")], vec![])).unwrap(), (0, Code::NOT_FOUND));
        assert!(matches!(read(reply(&[GRPC], vec![data()])), Err(Refused::NoStatus)));
        assert!(matches!(read(reply(&[GRPC], vec![])), Err(Refused::NoStatus)));
    }

    #[test]
    fn what_is_no_grpc_is_told() {
        assert!(matches!(read(reply(&[("content-type", "text/html")], vec![])), Err(Refused::NoGrpc(_))));
        assert!(matches!(read(reply(&[], vec![])), Err(Refused::NoGrpc(_))));
        let mut gone = reply(&[("content-type", "text/html")], vec![]);
        *gone.status_mut() = StatusCode::BAD_GATEWAY;
        assert!(matches!(read(gone), Err(Refused::Status(status)) if status.kind() == ErrorKind::Unavailable));
        let cut = Frame::data(Bytes::from_static(&[0, 0, 0, 0, 9, b'x']));
        assert!(matches!(read(reply(&[GRPC], vec![cut, trailers("0")])), Err(Refused::Malformed(_))));
    }
}
