use std::{future::pending, io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream::iter};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header::CONTENT_LENGTH};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};

use super::{
    exchange::{Reply, describe, reply, stream},
    server::Counters,
    upgrade,
};

/// Bytes of one chunk of a generated body.
const CHUNK: usize = 16 * 1024;

pub(super) async fn answer(request: Request<Incoming>, counters: &Arc<Counters>) -> Reply {
    let path = request.uri().path();
    let number = |name| number(&request, name);
    match path {
        _ if path == "/echo" || path.starts_with("/echo/") => describe(request).await,
        _ if path.starts_with("/status/") => status(&path["/status/".len()..]),
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(number("ms") as u64)).await;
            reply(StatusCode::OK, "slow")
        }
        "/hang" => pending().await,
        "/large" => large(number("bytes")),
        "/binary" => reply(StatusCode::OK, (0..=u8::MAX).collect::<Vec<_>>()),
        "/multi" => with_headers(&[
            ("set-cookie", "a=1; Path=/"),
            ("set-cookie", "b=2; Path=/"),
            ("x-multi", "one"),
            ("x-multi", "two"),
        ]),
        "/hop" => with_headers(&[("connection", "x-hop"), ("x-hop", "1"), ("keep-alive", "timeout=5"), ("x-end", "1")]),
        "/trailers" => trailers(),
        "/steps" => steps(number("count"), counters),
        "/broken" => broken(number("bytes")),
        "/reject" => reply(StatusCode::PAYLOAD_TOO_LARGE, "rejected unread"),
        "/upgrade" => upgrade::accept(request),
        _ => reply(StatusCode::NOT_FOUND, format!("no route of the test server is at {path}")),
    }
}

/// The value of a parameter of the query, or 0.
fn number(request: &Request<Incoming>, name: &str) -> usize {
    let parameters = request.uri().query().unwrap_or_default().split('&');
    let mut values = parameters.filter_map(|parameter| parameter.split_once('=')).filter(|(key, _)| *key == name);
    values.next().and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}

fn status(code: &str) -> Reply {
    match code.parse().ok().and_then(|code| StatusCode::from_u16(code).ok()).filter(|status| status.as_u16() >= 200) {
        Some(status @ (StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)) => reply(status, ""),
        Some(status) => reply(status, format!("status {}", status.as_u16())),
        None => reply(StatusCode::BAD_REQUEST, format!("{code} is not a status from 200 to 999")),
    }
}

fn with_headers(headers: &[(&'static str, &'static str)]) -> Reply {
    let mut response = reply(StatusCode::OK, "headers");
    for (name, value) in headers {
        response.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

fn filler(bytes: usize) -> impl Iterator<Item = io::Result<Frame<Bytes>>> + Send + 'static {
    let chunk = Bytes::from(vec![b'x'; CHUNK.min(bytes)]);
    (0..bytes).step_by(CHUNK).map(move |start| Ok(Frame::data(chunk.slice(..CHUNK.min(bytes - start)))))
}

fn large(bytes: usize) -> Reply {
    let mut response = stream(StatusCode::OK, StreamBody::new(iter(filler(bytes))));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    response
}

fn broken(bytes: usize) -> Reply {
    let frames = filler(bytes).chain([Err(io::Error::other("broken on purpose"))]);
    // One await between the frames lets the part before the break leave the server.
    let frames = iter(frames).then(async |frame| {
        tokio::task::yield_now().await;
        frame
    });
    let mut response = stream(StatusCode::OK, StreamBody::new(frames));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes + 1));
    response
}

fn trailers() -> Reply {
    let mut fields = HeaderMap::new();
    fields.insert("x-checksum", HeaderValue::from_static("abc"));
    let frames = [Ok(Frame::data(Bytes::from_static(b"body before trailers"))), Ok(Frame::trailers(fields))];
    let mut response = stream(StatusCode::OK, StreamBody::new(iter(frames)));
    response.headers_mut().insert("trailer", HeaderValue::from_static("x-checksum"));
    response
}

fn steps(count: usize, counters: &Arc<Counters>) -> Reply {
    let counters = Arc::clone(counters);
    let frames = iter(0..count).then(move |step| {
        let counters = Arc::clone(&counters);
        async move {
            let permit = counters.steps.acquire().await.map_err(io::Error::other)?;
            permit.forget();
            Ok(Frame::data(Bytes::from(format!("step {step}\n"))))
        }
    });
    stream(StatusCode::OK, StreamBody::new(frames))
}
