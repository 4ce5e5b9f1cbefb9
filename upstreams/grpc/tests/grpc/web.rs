//! gRPC-Web, by frames made by hand.

use base64::{Engine, engine::general_purpose::STANDARD};
use callgate_core::Body;
use callgate_testkit::peers::{GrpcService, present};
use http::Request;

use crate::stage::{Answer, Stage};

const ROUTES: &str = "  - {match: \"/{*rest}\", to: {upstream: shop}}\n";

/// A frame with a message of some fields.
fn frame(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

/// The frames of a body: flag and content.
fn frames(mut body: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while let [flag, a, b, c, d, rest @ ..] = body {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        found.push((*flag, rest[..length].to_vec()));
        body = &rest[length..];
    }
    assert!(body.is_empty());
    found
}

async fn send(stage: &Stage, method: &str, kind: &str, body: Vec<u8>) -> Answer {
    let request = Request::post(format!("/shop.v1.Shop/{method}"))
        .header("content-type", kind)
        .header("accept", kind)
        .header("x-grpc-web", "1")
        .header("x-user-agent", "grpc-web-javascript/0.1");
    stage.send(request.body(Body::from(body)).unwrap()).await
}

/// Base64 of texts that were put together, each with its own padding.
fn decoded(text: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(text).unwrap();
    let groups = text.as_bytes().chunks(4);
    groups.flat_map(|group| STANDARD.decode(group).unwrap()).collect()
}

#[tokio::test]
async fn a_call_of_a_browser_is_translated_and_back() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = Stage::new(&format!("url: \"{}\"", peer.url()), ROUTES).await;
    let greet = frame(b"\x0a\x01a");
    for kind in ["application/grpc-web", "application/grpc-web+proto"] {
        let answer = send(&stage, "Greet", kind, greet.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["content-type"]),
            (200, &"application/grpc-web+proto".parse().unwrap())
        );
        assert_eq!(answer.values("x-early"), ["1"]);
        let frames = frames(&answer.body);
        assert_eq!(frames[0], (0, b"\x0a\x09Hello, a.".to_vec()));
        let trailers = String::from_utf8(frames[1].1.clone()).unwrap();
        assert_eq!((frames.len(), frames[1].0), (2, 0x80));
        assert!(trailers.contains("grpc-status: 0\r\n") && trailers.contains("x-late: 2\r\n"), "{trailers}");
        assert!(answer.trailers.is_empty(), "all is in the body");
    }
}

#[tokio::test]
async fn base64_goes_in_and_out() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = Stage::new(&format!("url: \"{}\"", peer.url()), ROUTES).await;
    // Two texts in one body, as a client writes that flushes in between.
    let greet = frame(b"\x0a\x01a");
    let text = STANDARD.encode(&greet[..4]) + &STANDARD.encode(&greet[4..]);
    let answer = send(&stage, "Greet", "application/grpc-web-text", text.into_bytes()).await;
    assert_eq!(answer.headers["content-type"], "application/grpc-web-text+proto");
    let frames = frames(&decoded(&answer.body));
    assert_eq!((frames.len(), &frames[0].1[2..], frames[1].0), (2, &b"Hello, a."[..], 0x80));
    let answer = send(&stage, "Greet", "application/grpc-web-text", b"no!!".to_vec()).await;
    assert_eq!(answer.failure(), (200, "bad_request"), "{answer:?}");
    let trailers = frames_of_text(&answer.body);
    assert!(trailers.contains("grpc-status: 3\r\n"), "{trailers}");
}

/// The trailers of a body in base64 that has nothing else.
fn frames_of_text(body: &[u8]) -> String {
    let frames = frames(&decoded(body));
    assert_eq!((frames.len(), frames[0].0), (1, 0x80));
    String::from_utf8(frames[0].1.clone()).unwrap()
}

#[tokio::test]
async fn the_gateways_own_failures_are_statuses_at_the_end_of_the_body() {
    let stage = Stage::new("url: \"http://127.0.0.1:1\"", ROUTES).await;
    let greet = frame(b"\x0a\x01a");
    let answer = send(&stage, "Greet", "application/grpc-web+proto", greet.clone()).await;
    assert_eq!(answer.failure(), (200, "upstream_unreachable"), "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/grpc-web+proto");
    let trailers = frames(&answer.body).swap_remove(0);
    let (flag, lines) = (trailers.0, String::from_utf8(trailers.1).unwrap());
    assert!(flag == 0x80 && lines.contains("grpc-status: 14\r\n") && lines.contains("grpc-message: "), "{lines}");
    let answer = send(&stage, "Greet", "application/grpc-web-text", STANDARD.encode(&greet).into_bytes()).await;
    assert_eq!(answer.headers["content-type"], "application/grpc-web-text+proto");
    assert!(frames_of_text(&answer.body).contains("grpc-status: 14\r\n"), "{answer:?}");
}

#[tokio::test]
async fn streams_and_statuses_pass() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = Stage::new(&format!("url: \"{}\"", peer.url()), ROUTES).await;
    let answer = send(&stage, "Count", "application/grpc-web+proto", frame(b"\x08\x03\x10\x02")).await;
    let frames = frames(&answer.body);
    assert_eq!((frames.len(), &frames[0]), (2, &(0, b"\x08\x01".to_vec())));
    let trailers = String::from_utf8(frames[1].1.clone()).unwrap();
    assert!(trailers.contains("grpc-status: 15\r\n") && trailers.contains("grpc-message: lost at 2\r\n"), "{trailers}");
    let answer = send(&stage, "Fail", "application/grpc-web+proto", frame(b"\x08\x05")).await;
    let told = answer.headers.get("grpc-status").map(|status| status.to_str().unwrap().to_owned());
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(told.as_deref() == Some("5") || body.contains("grpc-status: 5\r\n"), "{answer:?}");
}
