//! Streams of replies, as lines and as events.

use callgate_core::{Body, BodyError};
use callgate_testkit::peers::{Fault, FaultProxy, GrpcService, present};
use http::Request;
use http_body_util::BodyExt;
use serde_json::json;

use crate::stage::{Answer, Stage};

const ROUTES: &str = r#"
  - {match: GET /count, to: shop/shop.v1.Shop/Count}
  - {match: POST /count, to: shop/shop.v1.Shop/Count}
"#;

async fn stage(peer: &GrpcService) -> Stage {
    Stage::new(&format!("url: \"{}\", reflection: true", peer.url()), ROUTES).await
}

async fn events(stage: &Stage, path: &str) -> Answer {
    stage.send(Request::get(path).header("accept", "text/event-stream").body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn each_message_is_a_line_or_an_event() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = stage(&peer).await;
    let answer = stage.post("/count", &json!({"to": 3})).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["content-type"]),
        (200, &"application/x-ndjson".parse().unwrap())
    );
    assert_eq!(answer.text(), "{\"number\":\"1\"}\n{\"number\":\"2\"}\n{\"number\":\"3\"}\n");
    assert_eq!(answer.trailers["x-late"], "2", "metadata that comes last is in trailers");
    let answer = events(&stage, "/count?to=2").await;
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    assert_eq!(answer.text(), "data: {\"number\":\"1\"}\n\ndata: {\"number\":\"2\"}\n\n");
    assert!(answer.whole.is_ok());
}

#[tokio::test]
async fn a_stream_without_messages_is_empty() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let answer = stage(&peer).await.get("/count").await;
    assert_eq!((answer.status.as_u16(), answer.text(), answer.whole.is_ok()), (200, "", true));
}

#[tokio::test]
async fn a_message_is_passed_on_before_the_next_one_comes() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = stage(&peer).await;
    let mut edge = stage.listen().await;
    // An hour between two numbers: only a stream that flows gives the first.
    let mut body = edge.get("/count?to=2&pause=3600000").await;
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "{\"number\":\"1\"}\n");
}

#[tokio::test]
async fn a_failure_at_once_is_a_problem() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let answer = stage(&peer).await.get("/count?to=3&failsAt=1").await;
    assert_eq!(answer.failure(), (500, "grpc_status"), "{answer:?}");
    assert_eq!(answer.json()["grpc_message"], "lost at 1");
}

#[tokio::test]
async fn a_failure_in_the_middle_is_told_last_and_breaks_the_stream() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = stage(&peer).await;
    let answer = stage.get("/count?to=3&fails_at=2").await;
    assert_eq!(
        answer.text(),
        "{\"number\":\"1\"}\n{\"error\":{\"code\":\"grpc_status\",\"grpc_status\":15,\"grpc_message\":\"lost at 2\"}}\n"
    );
    assert!(matches!(answer.whole, Err(BodyError::Cut(_))), "it never looks complete");
    let answer = events(&stage, "/count?to=3&fails_at=2").await;
    let last = "event: error\ndata: {\"code\":\"grpc_status\",\"grpc_status\":15,\"grpc_message\":\"lost at 2\"}\n\n";
    assert!(answer.text().ends_with(last) && answer.whole.is_err(), "{answer:?}");
}

#[tokio::test]
async fn the_last_line_reaches_the_client_before_the_connection_breaks() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let stage = stage(&peer).await;
    let mut edge = stage.listen().await;
    let mut body = edge.get("/count?to=3&fails_at=2").await;
    let mut text = Vec::new();
    let end = loop {
        match body.frame().await {
            Some(Ok(frame)) => text.extend_from_slice(&frame.into_data().unwrap()),
            end => break end,
        }
    };
    assert!(String::from_utf8_lossy(&text).contains("lost at 2"), "{}", String::from_utf8_lossy(&text));
    assert!(matches!(end, Some(Err(_))), "the stream is reset");
}

#[tokio::test]
async fn a_stream_that_is_cut_breaks_the_clients_connection() {
    let Some(peer) = present(GrpcService::start().await) else { return };
    let proxy = FaultProxy::start(peer.address()).await.unwrap();
    let options = format!("url: \"http://{}\", descriptors: \"{}\"", proxy.address(), peer.descriptors().display());
    let stage = Stage::new(&options, ROUTES).await;
    proxy.set(Fault::CutAfter(5_000));
    let answer = stage.get("/count?to=100000").await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with("{\"number\":\"1\"}\n") && matches!(answer.whole, Err(BodyError::Cut(_))));
}
