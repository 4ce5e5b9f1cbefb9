//! The answer to a request: its head, and its body as it comes.

use std::{
    error::Error,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use callgate_core::{Body, BodyError};
use callgate_http::{keep_unindexed, wire::parse_length};
use h2::{Reason, SendStream, server::SendResponse};
use http::{HeaderMap, HeaderName, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame};

use crate::server::date;

/// Headers of a connection of HTTP/1.1 (RFC 9113, 8.2.2).
const OF_CONNECTIONS: [HeaderName; 6] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Sends the head of an answer, and its body if that is in memory; another body comes back, to be streamed.
pub(super) fn begin(
    respond: &mut SendResponse<Bytes>,
    response: Response<Body>,
    head_only: bool,
) -> Option<(Body, SendStream<Bytes>)> {
    let (mut head, mut body) = response.into_parts();
    if head.status.is_informational() {
        tracing::error!(status = head.status.as_u16(), "An answer has a status that only precedes one.");
        (head.status, body) = (StatusCode::INTERNAL_SERVER_ERROR, Body::empty());
        head.headers.clear();
    }
    let has_body = !head_only && !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let length = if has_body { body.known_length() } else { None };
    let whole = if has_body { body.in_memory() } else { Some(Bytes::new()) };
    prepare(&mut head.headers, length, head.status == StatusCode::NO_CONTENT);
    let is_bare = whole.as_ref().is_some_and(Bytes::is_empty);
    let mut out = match respond.send_response(Response::from_parts(head, ()), is_bare) {
        Ok(out) => out,
        Err(error) => {
            tracing::debug!(%error, "An answer can't be sent");
            respond.send_reset(Reason::INTERNAL_ERROR);
            return None;
        }
    };
    let Some(whole) = whole else { return Some((body, out)) };
    if !is_bare && let Err(error) = out.send_data(whole, true) {
        tracing::debug!(%error, "An answer's body can't be sent");
    }
    None
}

/// Makes headers such as may be sent, in one look through them. What the body knows of its length holds, not what its head
/// says.
fn prepare(headers: &mut HeaderMap, length: Option<u64>, never_long: bool) {
    let (mut has_date, mut stated, mut of_connection) = (false, None, false);
    for (name, value) in &*headers {
        match *name {
            header::DATE => has_date = true,
            header::CONTENT_LENGTH => stated = parse_length(value.as_bytes()).filter(|_| stated.is_none()),
            header::CONNECTION | header::TRANSFER_ENCODING | header::UPGRADE | header::TE => of_connection = true,
            _ => of_connection |= name == "keep-alive" || name == "proxy-connection",
        }
    }
    if of_connection {
        for name in OF_CONNECTIONS {
            headers.remove(name);
        }
    }
    if never_long {
        headers.remove(header::CONTENT_LENGTH);
    } else if let Some(length) = length.filter(|_| length != stated) {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    if !has_date && let Some(date) = date::now() {
        headers.insert(header::DATE, date);
    }
    keep_unindexed(headers);
}

/// What comes of waiting for a body.
enum Next {
    Frame(Frame<Bytes>),
    End,
    Broken(BodyError),
    /// The client wants no more of it.
    Unwanted,
}

/// Sends a body as it comes. Where it breaks the client learns so by a reset.
pub(super) async fn stream(mut body: Body, mut out: SendStream<Bytes>) {
    if let Err(error) = try_stream(&mut body, &mut out).await {
        tracing::debug!(%error, "An answer's body can't be sent");
    }
}

async fn try_stream(body: &mut Body, out: &mut SendStream<Bytes>) -> Result<(), h2::Error> {
    loop {
        let frame = match poll_fn(|cx| poll_next(body, out, cx)).await {
            Next::Frame(frame) => frame,
            Next::End => return out.send_data(Bytes::new(), true),
            Next::Broken(error) => {
                tracing::debug!(%error, "An answer's body breaks off");
                // A reset takes back what is not sent.
                turn().await;
                out.send_reset(reason(&error));
                return Ok(());
            }
            Next::Unwanted => return Ok(()),
        };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) => return out.send_trailers(trailers),
                Err(_) => continue,
            },
        };
        let is_last = body.is_end_stream();
        if data.is_empty() && !is_last {
            continue;
        }
        if !data.is_empty() {
            // The window is the connection's too: none of it is taken before there is something to send.
            out.reserve_capacity(1);
            if !poll_fn(|cx| poll_window(out, cx)).await? {
                return Ok(());
            }
        }
        out.send_data(data, is_last)?;
        if is_last {
            return Ok(());
        }
    }
}

/// Waits for the next turn: until then the connection has sent what it may.
async fn turn() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn poll_next(body: &mut Body, out: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<Next> {
    if out.poll_reset(cx).is_ready() {
        return Poll::Ready(Next::Unwanted);
    }
    Poll::Ready(match ready!(Pin::new(body).poll_frame(cx)) {
        Some(Ok(frame)) => Next::Frame(frame),
        Some(Err(error)) => Next::Broken(error),
        None => Next::End,
    })
}

/// Waits until the client, and what is buffered of the body, let more be sent; false once the stream is over.
fn poll_window(out: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<Result<bool, h2::Error>> {
    while out.capacity() == 0 {
        match ready!(out.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Poll::Ready(Err(error)),
            None => return Poll::Ready(Ok(false)),
        }
    }
    Poll::Ready(Ok(true))
}

/// What the client is told of a body that breaks: the same that an upstream of HTTP/2 told.
fn reason(error: &BodyError) -> Reason {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(reason) = error.downcast_ref::<h2::Error>().and_then(h2::Error::reason) {
            return reason;
        }
        next = error.source();
    }
    Reason::INTERNAL_ERROR
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(headers: &[(&'static str, &str)], length: Option<u64>) -> Vec<(String, String)> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        prepare(&mut map, length, false);
        let text =
            |(name, value): (&HeaderName, &http::HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
        let mut found: Vec<_> = map.iter().map(text).filter(|(name, _)| name != "date").collect();
        found.sort();
        found
    }

    #[test]
    fn the_bodys_length_holds() {
        for stated in [&[][..], &[("content-length", "5")], &[("content-length", "7")], &[("content-length", "x")]] {
            assert_eq!(prepared(stated, Some(5)), [("content-length".into(), "5".into())]);
        }
        let twice = [("content-length", "5"), ("content-length", "5")];
        assert_eq!(prepared(&twice, Some(5)), [("content-length".into(), "5".into())]);
        assert_eq!(prepared(&[("content-length", "7")], None), [("content-length".into(), "7".into())]);
    }

    #[test]
    fn headers_of_a_connection_stay_behind() {
        let headers = [
            ("connection", "close"),
            ("keep-alive", "1"),
            ("proxy-connection", "close"),
            ("te", "gzip"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-kept", "1"),
        ];
        assert_eq!(prepared(&headers, None), [("x-kept".into(), "1".into())]);
    }

    #[test]
    fn a_date_is_added_where_none_is() {
        let mut headers = HeaderMap::new();
        prepare(&mut headers, None, false);
        assert!(httpdate::parse_http_date(headers["date"].to_str().unwrap()).is_ok());
        headers.insert(header::DATE, "then".parse().unwrap());
        prepare(&mut headers, None, false);
        assert_eq!(headers["date"], "then");
    }

    #[test]
    fn a_reset_of_the_upstream_is_passed_on() {
        let broken = BodyError::Cut(h2::Error::from(Reason::REFUSED_STREAM).into());
        assert_eq!(reason(&broken), Reason::REFUSED_STREAM);
        assert_eq!(reason(&BodyError::TimedOut), Reason::INTERNAL_ERROR);
    }
}
