use std::time::Duration;

use http::Request;

use super::{Act, Stage, streamed};
use crate::{Body, ErrorKind};

fn times(act: Act, count: usize) -> Vec<Act> {
    vec![act; count]
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_and_the_last_attempt_is_the_answer() {
    let stage = Stage::with("retry: {attempts: 3}").await;
    stage.act([Act::Answer(503), Act::Fail(ErrorKind::Unreachable)]);
    assert_eq!((stage.get().await.status, stage.calls().len()), (200, 3));
    stage.act(times(Act::Answer(503), 3));
    let answer = stage.get().await;
    assert_eq!((answer.status, answer.error.as_str(), stage.calls().len()), (503, "", 6));
    stage.act(times(Act::Fail(ErrorKind::Unreachable), 3));
    let answer = stage.get().await;
    assert_eq!((answer.status, answer.error.as_str(), stage.calls().len()), (502, "upstream_unreachable", 9));
}

#[tokio::test(start_paused = true)]
async fn without_retry_and_for_what_is_not_listed_there_is_one_attempt() {
    let stage = Stage::with("").await;
    stage.act([Act::Answer(503)]);
    assert_eq!((stage.get().await.status, stage.calls().len()), (503, 1));
    let stage = Stage::with("retry: {on: [connect]}").await;
    stage.act([Act::Answer(503), Act::Fail(ErrorKind::Throttled), Act::Answer(404)]);
    for status in [503, 503, 404] {
        assert_eq!(stage.get().await.status, status);
    }
    assert_eq!(stage.calls().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_outcome_is_unknown_is_tried_again_only_if_it_may_be_made_twice() {
    for (method, key, act, attempts) in [
        ("POST", false, Act::Fail(ErrorKind::Timeout), 1),
        ("POST", false, Act::Fail(ErrorKind::BadReply), 1),
        ("PATCH", false, Act::Answer(504), 1),
        ("POST", false, Act::Answer(502), 1),
        ("POST", true, Act::Fail(ErrorKind::Timeout), 2),
        ("POST", false, Act::Fail(ErrorKind::Unreachable), 2),
        ("POST", false, Act::Refuse(ErrorKind::Throttled), 2),
        ("POST", false, Act::Refuse(ErrorKind::Unavailable), 2),
        ("POST", false, Act::Fail(ErrorKind::Throttled), 1),
        ("POST", false, Act::Fail(ErrorKind::Unavailable), 1),
        ("POST", true, Act::Fail(ErrorKind::Unavailable), 2),
        ("GET", false, Act::Fail(ErrorKind::Unavailable), 2),
        ("POST", false, Act::AnswerGrpc(14), 1),
        ("POST", true, Act::AnswerGrpc(14), 2),
        ("GET", false, Act::AnswerGrpc(8), 2),
        ("GET", false, Act::AnswerGrpc(5), 1),
        ("POST", false, Act::Answer(503), 2),
        ("PUT", false, Act::Fail(ErrorKind::Timeout), 2),
        ("GET", false, Act::Answer(504), 2),
    ] {
        let stage = Stage::with("retry: {}").await;
        stage.act([act.clone()]);
        let mut request = Request::builder().method(method).uri("/");
        if key {
            request = request.header("idempotency-key", "k");
        }
        stage.request(request, "b".into()).await;
        assert_eq!(stage.calls().len(), attempts, "{method} {key} {act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_given_up_and_tried_again() {
    let stage = Stage::with("timeout: {total: 10s, attempt: 2s}, retry: {attempts: 3}").await;
    stage.act([Act::Hang, Act::Take(Duration::from_secs(1))]);
    assert_eq!(stage.get().await.status, 200);
    let calls = stage.calls();
    assert_eq!(calls[0].left.as_secs_f64().round() as u64, 2, "a function is told of its attempt's time");
    assert!((2..4).contains(&calls[1].at.as_secs()), "{calls:?}");
    stage.act([Act::Hang]);
    assert_eq!((stage.send("POST", "x".into()).await.status, stage.calls().len()), (504, 3));
}

#[tokio::test(start_paused = true)]
async fn the_whole_exchange_bounds_all_attempts() {
    let stage = Stage::with("timeout: {total: 5s, attempt: 2s}, retry: {attempts: 9}").await;
    stage.act(times(Act::Hang, 9));
    let started = tokio::time::Instant::now();
    let answer = stage.get().await;
    assert_eq!((answer.status, answer.error.as_str()), (504, "upstream_timeout"));
    assert_eq!((started.elapsed().as_secs_f64().round() as u64, stage.calls().len()), (5, 3));
}

#[tokio::test(start_paused = true)]
async fn the_upstreams_wait_is_kept_and_where_it_does_not_fit_the_answer_comes_at_once() {
    let stage = Stage::with("timeout: 10s, retry: {}").await;
    stage.act([Act::Later(503, 4)]);
    assert_eq!(stage.get().await.status, 200);
    assert!((4..6).contains(&(stage.calls()[1].at - stage.calls()[0].at).as_secs()), "{:?}", stage.calls());
    stage.act([Act::Throttle(Duration::from_secs(60))]);
    let started = tokio::time::Instant::now();
    let answer = stage.get().await;
    assert_eq!((answer.status, answer.error.as_str(), answer.retry_after.as_str()), (503, "upstream_throttled", "60"));
    assert_eq!((started.elapsed().as_secs(), stage.calls().len()), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn every_attempt_sends_the_body_unless_it_is_too_large_to_be_kept() {
    let stage = Stage::with("retry: {buffer: 8B}").await;
    for body in [streamed("abcd", "efgh"), Body::from("in memory, however large")] {
        let before = stage.calls().len();
        stage.act([Act::Answer(503)]);
        assert_eq!(stage.send("PUT", body).await.status, 200);
        let calls = stage.calls();
        assert_eq!(calls.len() - before, 2);
        assert_eq!(calls[before].body, calls[before + 1].body);
        assert!(calls[before].body.len() >= 8);
    }
    let before = stage.calls().len();
    stage.act([Act::Answer(503)]);
    assert_eq!(stage.send("PUT", streamed("abcd", "efghi")).await.status, 503);
    assert_eq!(stage.calls()[before].body, "abcdefghi");
    stage.act([Act::FailAtOnce(ErrorKind::Unreachable)]);
    assert_eq!(stage.send("PUT", streamed("abcd", "efghi")).await.status, 200);
    assert_eq!(stage.calls().last().unwrap().body, "abcdefghi");
}

#[tokio::test(start_paused = true)]
async fn a_failing_upstream_gets_few_more_requests_than_clients_send() {
    let stage = Stage::with("retry: {attempts: 5, budget: 10%, backoff: {initial: 0ms}}").await;
    stage.act(times(Act::Answer(503), 2000));
    for _ in 0..200 {
        assert_eq!(stage.get().await.status, 503);
    }
    assert_eq!(stage.calls().len(), 200 + 10 + 20);
}

#[tokio::test(start_paused = true)]
async fn steps_run_once_before_and_once_behind_all_attempts() {
    let routes =
        "[{match: '/{*rest}', to: f, request: {body: {text: '{{ random_hex(8) }}'}}, response: {status: 201}}]";
    let stage = Stage::of("retry: {attempts: 3}", routes).await;
    stage.act(times(Act::Answer(503), 2));
    assert_eq!(stage.send("PUT", Body::empty()).await.status, 201);
    let calls = stage.calls();
    assert_eq!((calls.len(), &calls[0].body, &calls[1].body), (3, &calls[1].body, &calls[2].body));
}

#[tokio::test(start_paused = true)]
async fn the_clients_own_failure_is_not_tried_again() {
    let stage = Stage::with("retry: {}, limits: {max_body: 4B}").await;
    assert_eq!((stage.send("PUT", streamed("abcd", "e")).await.status, stage.calls().len()), (413, 0));
}
