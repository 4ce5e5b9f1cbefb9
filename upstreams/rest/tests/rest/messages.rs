//! What passes, and what doesn't.

use std::{convert::Infallible, io};

use bytes::Bytes;
use callgate_core::Body;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;

use crate::stage::{Raw, Stage, plan};

#[tokio::test]
async fn the_base_path_comes_before_the_path() {
    let server = Raw::named("a");
    let stage = Stage::new(&format!("{{url: \"{}/base/\"}}", server.url)).await;
    assert_eq!(stage.get("/x/%2F?q=1&q").await.body(), "a GET /base/x/%2F?q=1&q HTTP/1.1");
    assert_eq!(stage.get("/").await.body(), "a GET /base/ HTTP/1.1");
}

#[tokio::test]
async fn the_service_sees_its_own_host() {
    let (seen, mut was_seen) = mpsc::unbounded_channel();
    let server = Raw::start(move |mut peer| {
        while let Some(head) = peer.head() {
            seen.send(head).unwrap();
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let stage = Stage::new(&format!("{{url: \"{}\"}}", server.url)).await;
    stage.get("/").await;
    let head = was_seen.recv().await.unwrap();
    let host = server.url.trim_start_matches("http://");
    assert!(
        head.contains(&format!("host: {host}\r\n")) && head.contains("x-forwarded-host: gateway.test\r\n"),
        "{head}"
    );
}

#[tokio::test]
async fn bodies_and_trailers_stream_through() {
    let server = Raw::start(|mut peer| {
        let head = peer.head().unwrap();
        assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
        let body = peer.read("5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n".len());
        peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n");
        peer.send(body.replace("hello", "HELLO"));
    });
    let stage = Stage::new(&format!("{{url: \"{}\"}}", server.url)).await;
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("1"))]);
    let frames = [Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"hello"))), Ok(Frame::trailers(trailers))];
    let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
    let reply = stage.send(Request::post("/").header("trailer", "x-sum").body(body).unwrap()).await;
    assert!(!reply.headers().contains_key("transfer-encoding"));
    let body = BodyExt::collect(reply.into_body()).await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "1");
    assert_eq!(body.to_bytes(), "HELLO");
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_told_or_breaks_off_too() {
    for (reply, status) in [
        ("", StatusCode::BAD_GATEWAY),
        ("HTTP/1.1 200 OK\r\nconte", StatusCode::BAD_GATEWAY),
        ("no HTTP\r\n\r\n", StatusCode::BAD_GATEWAY),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello", StatusCode::OK),
    ] {
        let server = Raw::start(move |mut peer| {
            peer.head();
            peer.send(reply);
        });
        let stage = Stage::new(&format!("{{url: \"{}\"}}", server.url)).await;
        let answer = stage.send(Request::get("/").body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), status, "{reply}");
        if status == StatusCode::OK {
            assert!(answer.into_body().collect(1 << 20).await.is_err());
        } else {
            assert_eq!(answer.headers()["callgate-error"], "bad_upstream_reply", "{reply}");
        }
    }
}

#[tokio::test]
async fn a_request_over_the_limit_is_413() {
    let server = Raw::start(|mut peer| {
        peer.head();
        peer.read(1);
        peer.head();
    });
    let stage = Stage::new(&format!("{{url: \"{}\"}}", server.url)).await;
    let frames = (0..200).map(|_| Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b'x'; 64 << 10]))));
    let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
    let answer = stage.send(Request::post("/").body(body).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_request_whose_body_breaks_off_is_the_clients_fault() {
    let server = Raw::start(|mut peer| while peer.head().is_some() {});
    let stage = Stage::new(&format!("{{url: \"{}\"}}", server.url)).await;
    let frames = [Ok(Frame::data(Bytes::from_static(b"half"))), Err(io::Error::from(io::ErrorKind::UnexpectedEof))];
    let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
    let answer = stage.send(Request::post("/").body(body).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(answer.headers()["callgate-error"], "bad_request");
}

#[test]
fn wrong_options_are_told_at_their_place() {
    for (options, place, says) in [
        ("{}", "upstreams.service.rest", "address is missing"),
        ("{url: pets}", "upstreams.service.rest.url", "has to begin with http://"),
        ("{url: \"http://u:p@a\"}", "upstreams.service.rest.url", "credentials have options of their own"),
        (
            "{endpoints: [\"http://a\", {url: \"http://b\", wieght: 2}]}",
            "upstreams.service.rest.endpoints[1]",
            "weight",
        ),
        ("{endpoints: [\"http://a\", \"b:1\"]}", "upstreams.service.rest.endpoints", "item 2: `b:1` is no HTTP URL"),
        ("{endpoints: [\"http://a\", 7]}", "upstreams.service.rest.endpoints[1]", "a URL, or"),
        ("{url: \"http://a\", balance: random}", "upstreams.service.rest.balance", "random"),
    ] {
        let report = plan(options).unwrap_err();
        assert!(report.contains(place) && report.contains(says), "{options}: {report}");
    }
}
