use std::time::Duration;

use futures_util::future::join_all;

use super::{Act, Stage};

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_limit_wait_and_those_beyond_the_queue_are_refused() {
    let stage = Stage::with("concurrency: {limit: 2, queue: 3, wait: 10s}").await;
    stage.act(vec![Act::Take(Duration::from_secs(1)); 9]);
    let mut answers = join_all((0..8).map(|_| stage.get())).await;
    answers.sort_by_key(|answer| answer.status);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 5);
    let refused = &answers[7];
    assert_eq!(
        (refused.status, refused.error.as_str(), refused.retry_after.as_str()),
        (503, "upstream_unavailable", "1")
    );
    let seconds: Vec<_> = stage.calls().iter().map(|call| call.at.as_secs()).collect();
    assert_eq!(seconds, [0, 0, 1, 1, 2]);
    let state = stage.gateway.snapshot().upstreams()["f"].concurrency[0];
    assert_eq!((state.limit, state.running, state.waiting, state.refused), (2, 0, 0, 3));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_tried_again_and_says_nothing_against_the_upstream() {
    let stage =
        Stage::with("concurrency: {limit: 1, queue: 0}, retry: {on: [unavailable]}, circuit_breaker: {failures: 1}")
            .await;
    stage.act([Act::Take(Duration::from_secs(1))]);
    let answers = join_all((0..4).map(|_| stage.get())).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 503).count(), 3);
    assert_eq!((stage.calls().len(), stage.get().await.status), (1, 200));
}
