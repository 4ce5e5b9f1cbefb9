use std::time::Duration;

use super::{Act, Stage};

#[tokio::test(start_paused = true)]
async fn a_body_may_pause_but_not_for_longer_than_idle() {
    for (pause, whole) in [(2, true), (4, false)] {
        let stage = Stage::with("timeout: {idle: 3s}").await;
        stage.act([Act::Trickle(Duration::from_secs(pause))]);
        let answer = stage.get().await;
        assert_eq!((answer.status, answer.body.is_some()), (200, whole), "{pause}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_head_and_the_whole_exchange_have_times_of_their_own() {
    for (timeout, status, whole) in [
        ("{head: 1s, total: 3s}", 200, false),
        ("{head: 1s, total: 9s}", 200, true),
        ("{head: 1s}", 200, true),
        ("3s", 200, false),
    ] {
        let stage = Stage::with(&format!("timeout: {timeout}")).await;
        stage.act([Act::Trickle(Duration::from_secs(2)), Act::Take(Duration::from_secs(5))]);
        let answer = stage.get().await;
        assert_eq!((answer.status, answer.body.is_some()), (status, whole), "{timeout}");
        assert_eq!(stage.get().await.error, "upstream_timeout", "{timeout}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_its_time_without_retries_too() {
    let stage = Stage::with("timeout: {attempt: 1s}").await;
    stage.act([Act::Take(Duration::from_secs(2))]);
    assert_eq!(stage.get().await.error, "upstream_timeout");
}
