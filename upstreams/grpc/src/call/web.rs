//! gRPC-Web: gRPC for browsers, whose trailers are the last frame of the body, and whose bodies may be base64
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>).

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use callgate_core::{Body, BodyError, BoxError, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::{Body as HttpBody, Frame};

use super::text::Groups;
use crate::{reply::is_grpc, status::STATUS};

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
    if reply.status() != StatusCode::OK || !(is_grpc(reply.headers()) || reply.headers().contains_key(STATUS)) {
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
    Body::new(Decoded { body, groups: Groups::default() })
}

struct Decoded {
    body: Body,
    groups: Groups,
}

impl HttpBody for Decoded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let cut = |error: BoxError| Poll::Ready(Some(Err(BodyError::Cut(error))));
        loop {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                None => match self.groups.end() {
                    Ok(()) => return Poll::Ready(None),
                    Err(early) => return cut(early.into()),
                },
                broken => return Poll::Ready(broken),
            };
            let (Ok(data), mut bytes) = (frame.into_data(), Vec::new()) else { continue };
            if let Err(error) = self.groups.push(&data, &mut bytes) {
                return cut(error.into());
            }
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(bytes.into()))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, stream};
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    fn body(frames: Vec<Frame<Bytes>>) -> Body {
        Body::new(StreamBody::new(stream::iter(frames.into_iter().map(Ok::<_, BodyError>))))
    }

    fn all(body: Body) -> Result<Vec<u8>, BodyError> {
        Ok(body.collect(1 << 20).now_or_never().unwrap()?.to_vec())
    }

    #[test]
    fn base64_is_decoded_as_it_comes_and_breaks_the_body_where_it_is_none() {
        let of = |pieces: &[&'static str]| {
            let frames = pieces.iter().map(|piece| Frame::data(Bytes::from_static(piece.as_bytes())));
            all(decoded(body(frames.collect())))
        };
        assert_eq!(of(&["A", "AAA", "AA==AQ", "=="]).unwrap(), [0, 0, 0, 0, 1]);
        assert!(of(&["AAAA", "AA"]).is_err() && of(&["!!!!"]).is_err());
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
        assert_eq!(all(decoded(reply.into_body())).unwrap(), wanted);
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
