//! gRPC-Web: gRPC for browsers, whose trailers are the last frame of the body, and whose bodies may be base64
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>).

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use callgate_core::{Body, BodyError, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::{Body as HttpBody, Frame};

use crate::status::STATUS;

/// The flag of the frame that holds trailers.
const TRAILERS: u8 = 0x80;

/// Makes the head of a request one of gRPC.
pub(super) fn request(headers: &mut HeaderMap) {
    for name in [HeaderName::from_static("x-grpc-web"), header::ACCEPT, header::ACCEPT_ENCODING, header::ORIGIN] {
        headers.remove(name);
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc+proto"));
}

/// Makes a reply one of gRPC-Web. What is no reply of gRPC stays as it is.
pub(super) fn reply(mut reply: Response, is_text: bool) -> Response {
    let is_grpc = reply
        .headers()
        .get(header::CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .is_some_and(|kind| kind.starts_with(b"application/grpc"));
    if reply.status() != StatusCode::OK || !(is_grpc || reply.headers().contains_key(STATUS)) {
        return reply;
    }
    let kind = if is_text { "application/grpc-web-text+proto" } else { "application/grpc-web+proto" };
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    reply.headers_mut().remove(header::CONTENT_LENGTH);
    // A head with a status is all that there is.
    if reply.headers().contains_key(STATUS) {
        return reply;
    }
    reply.map(|body| Body::new(Framed { body, is_text }))
}

/// A body whose trailers are its last frame.
struct Framed {
    body: Body,
    is_text: bool,
}

impl HttpBody for Framed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            end => return Poll::Ready(end),
        };
        let bytes = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => trailers(&frame.into_trailers().unwrap_or_default()),
        };
        // Each piece is padded on its own, so that none waits for the next.
        let bytes = if self.is_text { STANDARD.encode(&bytes).into() } else { bytes };
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// Trailers as lines in a frame.
fn trailers(trailers: &HeaderMap) -> Bytes {
    let mut lines = BytesMut::new();
    for (name, value) in trailers {
        lines.extend_from_slice(name.as_str().as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value.as_bytes());
        lines.extend_from_slice(b"\r\n");
    }
    let mut frame = BytesMut::with_capacity(lines.len() + 5);
    frame.put_u8(TRAILERS);
    frame.put_u32(u32::try_from(lines.len()).unwrap_or(u32::MAX));
    frame.extend_from_slice(&lines);
    frame.freeze()
}

/// A body in base64 as the bytes that it stands for.
pub(super) fn decoded(body: Body) -> Body {
    Body::new(Decoded { body, held: Vec::new() })
}

struct Decoded {
    body: Body,
    /// The begin of a group of four.
    held: Vec<u8>,
}

impl HttpBody for Decoded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                None if !self.held.is_empty() => {
                    self.held.clear();
                    return Poll::Ready(Some(Err(BodyError::Cut("it ends within a group of base64".into()))));
                }
                end => return Poll::Ready(end),
            };
            let Ok(data) = frame.into_data() else { continue };
            self.held.extend_from_slice(&data);
            let whole = self.held.len() / 4 * 4;
            let rest = self.held.split_off(whole);
            let groups = std::mem::replace(&mut self.held, rest);
            if !groups.is_empty() {
                return Poll::Ready(Some(decode(&groups).map(Frame::data)));
            }
        }
    }
}

/// Decodes groups of four, of which several may be padded: texts that were put together.
fn decode(groups: &[u8]) -> Result<Bytes, BodyError> {
    let mut out = Vec::with_capacity(groups.len() / 4 * 3);
    let mut rest = groups;
    while !rest.is_empty() {
        let padded = rest.iter().position(|byte| *byte == b'=').map_or(rest.len(), |at| at / 4 * 4 + 4);
        let (text, more) = rest.split_at_checked(padded).unwrap_or((rest, &[]));
        STANDARD.decode_vec(text, &mut out).map_err(|error| BodyError::Cut(error.into()))?;
        rest = more;
    }
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, stream};
    use http_body_util::{BodyExt, StreamBody};
    use proptest::prelude::*;

    use super::*;

    fn body(frames: Vec<Frame<Bytes>>) -> Body {
        Body::new(StreamBody::new(stream::iter(frames.into_iter().map(Ok::<_, BodyError>))))
    }

    fn all(body: Body) -> Result<Vec<u8>, BodyError> {
        Ok(body.collect(1 << 20).now_or_never().unwrap()?.to_vec())
    }

    proptest! {
        #[test]
        fn base64_is_decoded_however_it_is_cut_and_put_together(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..6),
            cuts in proptest::collection::vec(1_usize..9, 1..20),
        ) {
            let text: String = parts.iter().map(|part| STANDARD.encode(part)).collect();
            let (mut frames, mut rest, mut cuts) = (Vec::new(), text.as_bytes(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, more) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                frames.push(Frame::data(Bytes::copy_from_slice(piece)));
                rest = more;
            }
            prop_assert_eq!(all(decoded(body(frames))).unwrap(), parts.concat());
        }
    }

    #[test]
    fn base64_that_is_none_breaks_the_body() {
        for wrong in ["AAA", "AA=A", "A===", "!!!!"] {
            let frames = vec![Frame::data(Bytes::from_static(wrong.as_bytes()))];
            assert!(all(decoded(body(frames))).is_err(), "{wrong}");
        }
    }

    fn answered(is_text: bool) -> Response {
        let end = HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))]);
        let frames = vec![Frame::data(Bytes::from_static(&[0, 0, 0, 0, 1, b'x'])), Frame::trailers(end)];
        let mut grpc = Response::new(body(frames));
        grpc.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        reply(grpc, is_text)
    }

    #[test]
    fn trailers_become_the_last_frame() {
        let reply = answered(false);
        assert_eq!(reply.headers()["content-type"], "application/grpc-web+proto");
        let wanted = [&[0, 0, 0, 0, 1, b'x'][..], &[0x80, 0, 0, 0, 16], b"grpc-status: 0\r\n"].concat();
        assert_eq!(all(reply.into_body()).unwrap(), wanted);
        let reply = answered(true);
        assert_eq!(reply.headers()["content-type"], "application/grpc-web-text+proto");
        assert_eq!(decode(&all(reply.into_body()).unwrap()).unwrap(), wanted);
    }

    #[test]
    fn a_head_with_a_status_is_all_there_is() {
        let mut early = Response::default();
        early.headers_mut().insert(STATUS, HeaderValue::from_static("12"));
        let reply = reply(early, true);
        assert_eq!((&reply.headers()["grpc-status"], reply.body().as_bytes()), (&"12".parse().unwrap(), Some(&[][..])));
        assert_eq!(reply.headers()["content-type"], "application/grpc-web-text+proto");
    }

    #[tokio::test]
    async fn what_is_no_grpc_passes_as_it_is() {
        let mut html = Response::new(Body::from("<p>"));
        *html.status_mut() = StatusCode::BAD_GATEWAY;
        let body = reply(html, false).into_body();
        assert_eq!(BodyExt::collect(body).await.unwrap().to_bytes(), "<p>");
    }
}
