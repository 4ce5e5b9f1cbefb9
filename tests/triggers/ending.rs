//! Ends: of the gateway and of the broker.

use callgate_testkit::peers::until;
use serde_json::json;

use crate::{
    broker::Stage,
    gateway::{Gateway, LIMIT},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_ends_what_runs_and_returns_the_rest() {
    let Some(stage) = Stage::new(json!({})).await else { return };
    for number in 0..6 {
        stage.store(&format!("hold {number}")).await;
    }
    let mut first = stage.gateway("concurrency: 2").await;
    assert!(until(LIMIT, async || stage.functions.running() == 2).await);
    first.terminate();
    first.says("Draining.").await;
    // Long before the ack wait is over, another gateway has the rest.
    let mut second = stage.gateway("concurrency: 4").await;
    assert!(until(LIMIT, async || stage.functions.running() == 6).await);
    stage.functions.release();
    assert_eq!(first.ended().await, Some(0));
    stage.all_acknowledged().await;
    assert_eq!(stage.functions.calls().len(), 6, "none was cut off: {:?}", stage.functions.calls());
    second.terminate();
    assert_eq!(second.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_within_the_grace_is_returned() {
    let Some(stage) = Stage::new(json!({})).await else { return };
    stage.store("hold 1").await;
    let mut first = Gateway::start(&stage.yaml("concurrency: 2"), "200ms").await;
    assert!(until(LIMIT, async || stage.functions.running() == 1).await);
    first.terminate();
    assert_eq!(first.ended().await, Some(1), "the drain had to force");
    stage.functions.release();
    let _second = stage.gateway("concurrency: 2").await;
    stage.all_acknowledged().await;
    let attempts: Vec<_> = stage.functions.calls().iter().map(|call| call.attempt).collect();
    assert_eq!(attempts, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_gateway_loses_nothing_and_the_count_goes_on() {
    let Some(stage) = Stage::new(json!({"ack_wait": 1_000_000_000})).await else { return };
    stage.store("hold 1").await;
    let mut first = stage.gateway("concurrency: 2").await;
    assert!(until(LIMIT, async || stage.functions.running() == 1).await);
    first.kill();
    assert_eq!(stage.unacknowledged().await.0, 1);
    stage.functions.release();
    let _second = stage.gateway("concurrency: 2").await;
    stage.all_acknowledged().await;
    let attempts: Vec<_> = stage.functions.calls().iter().map(|call| call.attempt).collect();
    assert_eq!(attempts[0], 1);
    assert!(attempts.len() > 1 && attempts[1] > 1, "{attempts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_was_killed_is_consumed_again() {
    let Some(mut stage) = Stage::new(json!({"ack_wait": 1_000_000_000})).await else { return };
    let mut gateway = stage.gateway("concurrency: 2").await;
    stage.store("ok before").await;
    stage.all_acknowledged().await;
    stage.server.kill();
    gateway.says("No messages can be had from the source; it is tried again for ever.").await;
    let ready = gateway.admin("/ready").await;
    assert_eq!(ready["ready"], true, "HTTP is served on: {ready}");
    assert!(ready["triggers"]["work"].as_str().unwrap().starts_with("not ready: "), "{ready}");
    stage.server.restart().await.unwrap();
    stage.client = async_nats::connect(stage.server.url()).await.unwrap();
    let stored = async || stage.client.request("$JS.API.STREAM.INFO.WORK", "".into()).await.is_ok();
    assert!(until(LIMIT, stored).await);
    stage.store("ok after").await;
    stage.all_acknowledged().await;
    assert_eq!(stage.functions.tries("ok after"), 1);
    gateway.says("Messages come again.").await;
    let told = gateway.lines("No messages can be had from the source; it is tried again for ever.");
    assert_eq!(told.len(), 1, "it is said once");
}
