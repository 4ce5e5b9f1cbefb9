//! Requests as the server reads them.

use bytes::Bytes;
use callgate_core::Body;
use callgate_core::Period;
use callgate_http::{Endpoint, HttpClient, HttpError, HttpSettings};
use http::{HeaderValue, Method, Request};
use http_body::Frame;
use http_body_util::StreamBody;
use std::convert::Infallible;
use tokio::sync::mpsc as channel;

use crate::peer::{Peer, Raw, client, context, fetch, get, soon};

/// A body whose length is not known.
pub(crate) fn streamed(parts: &[&'static str]) -> Body {
    let frames: Vec<_> =
        parts.iter().map(|part| Ok::<_, Infallible>(Frame::data(Bytes::from_static(part.as_bytes())))).collect();
    Body::new(StreamBody::new(futures_util::stream::iter(frames)))
}

/// A server that hands out what it read: the head, and what `rest` reads behind it.
fn recording(
    rest: impl Fn(&mut Peer) -> String + Send + Sync + 'static,
) -> (Raw, channel::UnboundedReceiver<(String, String)>) {
    let (seen, what_was_seen) = channel::unbounded_channel();
    let server = Raw::start(move |_, mut peer| {
        while let Some(head) = peer.head() {
            let rest = rest(&mut peer);
            seen.send((head, rest)).unwrap();
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    (server, what_was_seen)
}

#[tokio::test]
async fn the_host_is_the_endpoints_unless_the_request_has_one() {
    let (server, mut seen) = recording(|_| String::new());
    let client = client();
    fetch(&client, &server.endpoint, get("/a/b?c=%20d&e")).await.unwrap();
    let (head, _) = seen.recv().await.unwrap();
    assert!(head.starts_with("GET /a/b?c=%20d&e HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: {}\r\n", server.endpoint.authority())), "{head}");

    let mut named = get("/");
    named.headers_mut().insert("host", HeaderValue::from_static("b.example"));
    *named.version_mut() = http::Version::HTTP_10;
    fetch(&client, &server.endpoint, named).await.unwrap();
    let (head, _) = seen.recv().await.unwrap();
    assert!(head.starts_with("GET / HTTP/1.1\r\n"), "{head}");
    assert_eq!(head.matches("host: ").count(), 1);
    assert!(head.contains("host: b.example\r\n"), "{head}");
}

#[tokio::test]
async fn the_stated_length_is_the_bodys_own() {
    for (method, stated, body, sent) in [
        (Method::POST, Some("3"), "hello", Some("5")),
        (Method::POST, Some("5"), "hello", Some("5")),
        (Method::POST, None, "hello", Some("5")),
        (Method::POST, Some("9"), "", Some("0")),
        (Method::POST, None, "", Some("0")),
        (Method::GET, Some("9"), "", Some("0")),
        (Method::GET, None, "", None),
        (Method::DELETE, None, "", None),
    ] {
        let length = body.len();
        let (server, mut seen) = recording(move |peer| String::from_utf8(peer.read(length)).unwrap());
        let mut request = Request::builder().method(method).uri("/").body(Body::from(body)).unwrap();
        request.headers_mut().insert("transfer-encoding", HeaderValue::from_static("chunked"));
        if let Some(stated) = stated {
            request.headers_mut().append("content-length", HeaderValue::from_static(stated));
        }
        let client = client();
        fetch(&client, &server.endpoint, request).await.unwrap();
        let (head, rest) = seen.recv().await.unwrap();
        assert_eq!(rest, body);
        let lengths: Vec<_> = head.lines().filter_map(|line| line.strip_prefix("content-length: ")).collect();
        assert_eq!(lengths, sent.into_iter().collect::<Vec<_>>(), "{head}");
        assert!(!head.contains("transfer-encoding"), "{head}");
        // Nothing is left over for the next request on the connection.
        fetch(&client, &server.endpoint, Request::put("/next").body(Body::from(body)).unwrap()).await.unwrap();
        assert!(seen.recv().await.unwrap().0.starts_with("PUT /next "));
        assert_eq!(server.accepted(), 1);
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_is_chunked_with_every_method() {
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let wire = "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
        let (server, mut seen) = recording(move |peer| String::from_utf8(peer.read(wire.len())).unwrap());
        let request = Request::builder().method(method).uri("/").header("content-length", "5");
        let request = request.body(streamed(&["hel", "lo"])).unwrap();
        fetch(&client(), &server.endpoint, request).await.unwrap();
        let (head, rest) = seen.recv().await.unwrap();
        assert_eq!(rest, wire);
        assert!(head.contains("transfer-encoding: chunked\r\n") && !head.contains("content-length"), "{head}");
    }
}

#[tokio::test]
async fn connect_is_refused() {
    let request = Request::builder().method(Method::CONNECT).uri("/").body(Body::empty()).unwrap();
    let endpoint = Endpoint::parse("http://127.0.0.1:9").unwrap();
    let error = client().send(&endpoint, request).await.unwrap_err();
    assert!(matches!(error, HttpError::Request(_)), "{error:?}");
}

#[tokio::test]
async fn an_absent_service_is_told_from_a_broken_one() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap()
    };
    let client = client();
    let error = soon(client.send(&closed, get("/"))).await.unwrap_err();
    assert!(matches!(error, HttpError::Connect { .. }) && error.is_before_sent(), "{error:?}");
    assert!(soon(client.probe(&closed)).await.is_err());

    let unknown = Endpoint::parse("http://no-such-host.invalid").unwrap();
    let error = soon(client.send(&unknown, get("/"))).await.unwrap_err();
    assert!(matches!(error, HttpError::Resolve { .. } | HttpError::ConnectTimeout { .. }), "{error:?}");
    let seen = callgate_core::UpstreamError::from(error);
    assert_eq!(seen.kind(), callgate_core::ErrorKind::Unreachable);
    assert_eq!(seen.detail(), None);
}

#[tokio::test]
async fn a_handshake_without_an_answer_ends_in_time() {
    let server = Raw::start(|_, mut peer| drop(peer.read_to_end()));
    let silent = Endpoint::parse(&format!("https://{}", server.endpoint.authority())).unwrap();
    let settings = HttpSettings { connect_timeout: Some(Period::from_millis(50)), ..HttpSettings::default() };
    let client = HttpClient::new(settings, &context()).unwrap();
    let error = soon(client.send(&silent, get("/"))).await.unwrap_err();
    assert!(matches!(error, HttpError::ConnectTimeout { .. } | HttpError::Tls { .. }), "{error:?}");
}
