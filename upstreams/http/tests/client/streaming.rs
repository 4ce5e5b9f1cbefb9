//! Both directions at once.

use std::time::Duration;

use bytes::Bytes;
use callgate_core::{Body, BodyError, UpstreamError};
use http::{HeaderMap, HeaderValue, Request};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc as channel;

use crate::peer::{Raw, client, fetch, get, soon};

/// A body that is fed by the test.
fn fed() -> (channel::UnboundedSender<Result<Frame<Bytes>, BodyError>>, Body) {
    let (feed, mut fed) = channel::unbounded_channel();
    let frames = futures_util::stream::poll_fn(move |cx| fed.poll_recv(cx));
    (feed, Body::new(StreamBody::new(frames)))
}

fn data(text: &'static str) -> Result<Frame<Bytes>, BodyError> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

#[tokio::test]
async fn a_reply_may_begin_and_end_before_the_request_has_ended() {
    let (uploaded, mut has_uploaded) = channel::unbounded_channel();
    let server = Raw::start(move |number, mut peer| {
        peer.head();
        if number == 0 {
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nearly");
            uploaded.send(peer.read("5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n".len())).unwrap();
        }
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext");
    });
    let (feed, body) = fed();
    feed.send(data("first")).unwrap();
    let client = client();
    let request = Request::post("/").body(body).unwrap();
    assert_eq!(fetch(&client, &server.endpoint, request).await.unwrap().body(), "early");
    // The connection is still in use: the next request takes another one.
    feed.send(data("second")).unwrap();
    drop(feed);
    assert_eq!(soon(has_uploaded.recv()).await.unwrap(), b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n");
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn frames_go_back_and_forth() {
    let server = Raw::start(|_, mut peer| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        for _ in 0..10 {
            let chunk = peer.read(9);
            peer.send(chunk);
        }
        peer.read(5);
        peer.send("0\r\n\r\n");
    });
    let (feed, body) = fed();
    let client = client();
    let reply = soon(client.send(&server.endpoint, Request::post("/").body(body).unwrap())).await.unwrap();
    let mut echoed = reply.into_body();
    for _ in 0..10 {
        feed.send(data("ping")).unwrap();
        assert_eq!(soon(echoed.frame()).await.unwrap().unwrap().into_data().unwrap(), "ping");
    }
    drop(feed);
    assert!(soon(echoed.frame()).await.is_none());
}

#[tokio::test]
async fn frames_are_passed_on_as_they_come() {
    let (next, may_go_on) = std::sync::mpsc::channel::<()>();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    let server = Raw::start(move |_, mut peer| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n");
        for part in ["hello", "world"] {
            may_go_on.lock().unwrap().recv().unwrap();
            peer.send(part);
        }
        peer.is_closed_by_client();
    });
    let client = client();
    let mut body = soon(client.send(&server.endpoint, get("/"))).await.unwrap().into_body();
    for part in ["hello", "world"] {
        next.send(()).unwrap();
        assert_eq!(soon(body.frame()).await.unwrap().unwrap().into_data().unwrap(), part);
    }
    assert!(body.is_end_stream());
    assert_eq!(body.known_length(), Some(0));
}

#[tokio::test]
async fn trailers_go_both_ways() {
    let (seen, mut was_seen) = channel::unbounded_channel();
    let server = Raw::start(move |_, mut peer| {
        peer.head();
        let wire = "5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n";
        seen.send(String::from_utf8(peer.read(wire.len())).unwrap()).unwrap();
        peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n");
        peer.send("5\r\nworld\r\n0\r\nx-sum: 2\r\n\r\n");
    });
    let (feed, body) = fed();
    feed.send(data("hello")).unwrap();
    feed.send(Ok(Frame::trailers(HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("1"))]))))
        .unwrap();
    drop(feed);
    let request = Request::post("/").header("trailer", "x-sum").body(body).unwrap();
    let reply = soon(client().send(&server.endpoint, request)).await.unwrap();
    let collected = soon(reply.into_body().collect_with_trailers()).await;
    assert_eq!((collected.0.as_str(), collected.1.unwrap()["x-sum"].as_bytes()), ("world", b"2".as_slice()));
    assert_eq!(was_seen.recv().await.unwrap(), "5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n");
}

/// Who knew a length would send it on, and ask for neither the trailers nor the error behind the last byte.
#[tokio::test]
async fn a_body_with_more_than_bytes_has_no_known_length() {
    for rest in ["5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n", "0\r\nx-sum: 1\r\n\r\n", "5\r\nhello\r\nzz\r\n"] {
        let server = Raw::replying_once(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{rest}"));
        let reply = soon(client().send(&server.endpoint, get("/"))).await.unwrap();
        assert_eq!((reply.body().known_length(), reply.body().is_end_stream()), (None, false), "{rest}");
    }
}

#[tokio::test]
async fn a_reply_that_nobody_wants_any_more_ends_its_connection() {
    let (closed, mut was_closed) = channel::unbounded_channel();
    let server = Raw::start(move |_, mut peer| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n");
        peer.read("5\r\nfirst\r\n0\r\n\r\n".len());
        closed.send(peer.is_closed_by_client()).unwrap();
    });
    let (feed, body) = fed();
    let reply = soon(client().send(&server.endpoint, Request::post("/").body(body).unwrap())).await.unwrap();
    let mut body = reply.into_body();
    assert_eq!(soon(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "hi");
    feed.send(data("first")).unwrap();
    drop(feed);
    drop(body);
    assert!(soon(was_closed.recv()).await.unwrap());
}

trait WithTrailers {
    async fn collect_with_trailers(self) -> (String, Option<HeaderMap>);
}

impl WithTrailers for Body {
    async fn collect_with_trailers(self) -> (String, Option<HeaderMap>) {
        let collected = BodyExt::collect(self).await.unwrap();
        let trailers = collected.trailers().cloned();
        (String::from_utf8(collected.to_bytes().to_vec()).unwrap(), trailers)
    }
}

#[tokio::test]
async fn the_reason_of_a_broken_request_is_found_in_the_error() {
    let server = Raw::start(|_, mut peer| drop(peer.read_to_end()));
    let (feed, body) = fed();
    feed.send(data("hello")).unwrap();
    feed.send(Err(BodyError::TooLarge { limit: 5 })).unwrap();
    let request = Request::post("/").body(body).unwrap();
    let error = soon(client().send(&server.endpoint, request)).await.unwrap_err();
    let error = UpstreamError::from(error);
    assert!(matches!(error.body_error(), Some(BodyError::TooLarge { limit: 5 })), "{error:?}");
}

#[tokio::test]
async fn a_reply_that_is_not_read_holds_the_server_back() {
    const PART: usize = 1 << 20;
    let (sent, mut was_sent) = channel::unbounded_channel();
    let server = Raw::start(move |_, mut peer| {
        peer.head();
        peer.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 64 * PART));
        for _ in 0..64 {
            if !peer.send(vec![b'x'; PART]) {
                return;
            }
            let _ = sent.send(());
        }
    });
    let reply = soon(client().send(&server.endpoint, get("/"))).await.unwrap();
    let mut parts = 0;
    while let Ok(Some(())) = tokio::time::timeout(Duration::from_millis(300), was_sent.recv()).await {
        parts += 1;
    }
    assert!(parts < 32, "{parts} MiB were taken without a reader");
    assert_eq!(soon(reply.into_body().collect(1 << 30)).await.unwrap().len(), 64 * PART);
}
