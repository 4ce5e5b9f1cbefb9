use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use http_body_util::StreamBody;
use tokio::time::advance;

use super::{Act, Stage, streamed};
use crate::{Body, BodyError, CircuitState, ErrorKind};

#[tokio::test(start_paused = true)]
async fn an_open_circuit_answers_at_once_and_a_success_closes_it() {
    let stage = Stage::with("circuit_breaker: {failures: 3, open: 30s}").await;
    stage.act([Act::Answer(503), Act::Fail(ErrorKind::Unreachable), Act::Fail(ErrorKind::Timeout)]);
    for _ in 0..3 {
        assert!(stage.get().await.status > 500);
    }
    advance(Duration::from_secs(10)).await;
    let answer = stage.get().await;
    assert_eq!((answer.status, answer.error.as_str()), (503, "upstream_unavailable"));
    assert_eq!((answer.retry_after.as_str(), stage.calls().len()), ("20", 3));
    assert!(matches!(stage.gateway.snapshot().upstreams()["f"].circuits[..], [CircuitState::Open { .. }]));
    advance(Duration::from_secs(20)).await;
    assert_eq!(stage.get().await.status, 200);
    assert_eq!(stage.gateway.snapshot().upstreams()["f"].circuits, [CircuitState::Closed]);
}

#[tokio::test(start_paused = true)]
async fn what_is_the_clients_says_nothing_and_what_functions_choose_is_a_success() {
    let stage = Stage::with("circuit_breaker: {failures: 2}, limits: {max_body: 4B}").await;
    stage.act([Act::Answer(503)]);
    stage.get().await;
    assert_eq!(stage.send("POST", streamed("abcd", "e")).await.status, 413);
    stage.act([Act::Answer(404), Act::Answer(503), Act::Answer(500)]);
    for status in [404, 503, 500, 200] {
        assert_eq!(stage.get().await.status, status);
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_the_whole_exchange_speaks_against_the_upstream_and_a_client_that_leaves_does_not() {
    let stage = Stage::with("timeout: 2s, circuit_breaker: {failures: 2}").await;
    for _ in 0..4 {
        stage.act([Act::Hang]);
        assert!(stage.get().now_or_never().is_none());
    }
    assert_eq!(stage.get().await.status, 200);
    stage.act([Act::Hang, Act::Hang]);
    for _ in 0..2 {
        assert_eq!(stage.get().await.error, "upstream_timeout");
    }
    assert_eq!(stage.get().await.error, "upstream_unavailable");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_end_its_own_stream_says_nothing() {
    let stage = Stage::with("timeout: 2s, circuit_breaker: {failures: 1}").await;
    for (kind, status, grpc_status) in [("text/plain", 400, ""), ("application/grpc", 200, "4")] {
        let never = stream::pending::<Result<http_body::Frame<bytes::Bytes>, BodyError>>().boxed();
        let request = http::Request::post("/").header("content-type", kind);
        let request = request.header("host", "any.test").body(Body::new(StreamBody::new(never))).unwrap();
        let answer = tower::ServiceExt::oneshot(stage.gateway.clone(), request).await.unwrap();
        let told = answer.headers().get("grpc-status").map_or("", |status| status.to_str().unwrap());
        assert_eq!((answer.status().as_u16(), told), (status, grpc_status));
        assert_eq!(stage.gateway.snapshot().upstreams()["f"].circuits, [CircuitState::Closed], "{kind}");
    }
    stage.act([Act::Hang]);
    stage.request(http::Request::post("/").header("content-type", "application/grpc"), "whole".into()).await;
    assert_eq!(stage.get().await.error, "upstream_unavailable", "a whole body waits for the upstream alone");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_sent_whole_or_that_nobody_takes_waits_for_the_upstream_alone() {
    for act in [Act::Hang, Act::HangAtOnce] {
        let stage = Stage::with("timeout: 2s, circuit_breaker: {failures: 1}").await;
        stage.act([act]);
        assert_eq!(stage.send("POST", streamed("a", "b")).await.error, "upstream_timeout");
        assert_eq!(stage.get().await.error, "upstream_unavailable");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_of_grpc_is_a_failure_too() {
    let stage = Stage::with("circuit_breaker: {failures: 2}").await;
    stage.act([14, 5, 14, 8].map(Act::AnswerGrpc));
    for _ in 0..4 {
        assert_eq!(stage.get().await.status, 200);
    }
    assert_eq!(stage.get().await.error, "upstream_unavailable");
}

#[tokio::test(start_paused = true)]
async fn every_attempt_counts_and_an_open_circuit_ends_them() {
    let stage = Stage::with("retry: {attempts: 5}, circuit_breaker: {failures: 3}").await;
    stage.act(vec![Act::Answer(503); 9]);
    let answer = stage.get().await;
    assert_eq!((answer.error.as_str(), stage.calls().len()), ("upstream_unavailable", 3));
}

#[tokio::test(start_paused = true)]
async fn routes_share_the_circuit_of_their_upstream() {
    let stage = Stage::of("circuit_breaker: {failures: 2}", "[{match: /a, to: f}, {match: '/{*rest}', to: f}]").await;
    stage.act([Act::Answer(503), Act::Answer(503)]);
    stage.get().await;
    stage.get().await;
    let answer = stage.request(http::Request::get("/a"), crate::Body::empty()).await;
    assert_eq!(answer.error, "upstream_unavailable");
    assert_eq!(stage.gateway.snapshot().upstreams()["f"].circuits.len(), 1);
}
