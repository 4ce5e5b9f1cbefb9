//! What becomes of the messages of a stream.

use std::time::Duration;

use callgate_testkit::peers::until;
use serde_json::json;

use crate::{broker::Stage, gateway::LIMIT};

const QUICK: &str = "retry: {attempts: 3, backoff: {initial: 50ms, max: 200ms}}";

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_processed_retried_or_put_into_the_dead_letter() {
    let Some(stage) = Stage::new(json!({})).await else { return };
    stage.stream("DEAD", "dead.>").await;
    let dead = "dead_letter: {to: {upstream: n, function: dead.work, mode: jetstream}}";
    let mut gateway = stage.gateway(&format!("{QUICK}, {dead}")).await;
    for payload in ["ok", "fail 2", "bad", "fail 9"] {
        stage.store(payload).await;
    }
    stage.all_acknowledged().await;
    let functions = &stage.functions;
    let tries = ["ok", "fail 2", "bad", "fail 9"].map(|payload| functions.tries(payload));
    assert_eq!(tries, [1, 3, 1, 3]);
    let attempts: Vec<_> =
        functions.calls().iter().filter(|call| call.body == "fail 2").map(|call| call.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    let call = functions.calls().into_iter().find(|call| call.body == "ok").unwrap();
    let header = |name: &str| call.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("callgate-subject").as_deref(), Some("work.new"));
    assert_eq!((header("callgate-trigger").as_deref(), header("x-tenant").as_deref()), (Some("work"), Some("acme")));
    assert_eq!(header("x-request-id").as_deref(), Some("WORK:1"));
    let (headers, payload) = stage.last("DEAD", "dead.work").await;
    assert_eq!(payload, "fail 9");
    for line in [
        "callgate-error: function_error",
        "callgate-status: 503",
        "callgate-attempts: 3",
        "callgate-trigger: work",
        "callgate-subject: work.new",
        "x-tenant: acme",
    ] {
        assert!(headers.to_ascii_lowercase().contains(line), "{line}: {headers}");
    }
    let state = &gateway.admin("/triggers").await[0];
    assert_eq!((&state["succeeded"], &state["dead_lettered"], &state["retried"]), (&json!(2), &json!(2), &json!(4)));
    assert_eq!(gateway.admin("/ready").await["triggers"]["work"], "ready");
    gateway.terminate();
    assert_eq!(gateway.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_dead_letter_a_message_stays_unacknowledged() {
    let Some(stage) = Stage::new(json!({})).await else { return };
    let dead = "dead_letter: {to: {upstream: n, function: dead.work, mode: jetstream}}";
    let mut gateway = stage.gateway(&format!("{QUICK}, {dead}")).await;
    stage.store("bad").await;
    let line = gateway.says("The dead letter did not take a message; both are tried again.").await;
    assert!(line["refused"].as_str().unwrap().contains("no stream"), "{line}");
    assert!(until(LIMIT, async || stage.functions.tries("bad") > 2).await);
    assert_eq!(stage.unacknowledged().await, (1, 0));
    stage.stream("DEAD", "dead.>").await;
    stage.all_acknowledged().await;
    assert_eq!(stage.last("DEAD", "dead.work").await.1, "bad");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrency_and_rate_are_held() {
    let Some(stage) = Stage::new(json!({})).await else { return };
    for number in 0..12 {
        stage.store(&format!("hold {number}")).await;
    }
    let mut gateway = stage.gateway("concurrency: 3").await;
    assert!(until(LIMIT, async || stage.functions.running() == 3).await);
    stage.functions.release();
    stage.all_acknowledged().await;
    assert_eq!((stage.functions.most(), stage.functions.calls().len()), (3, 12));
    gateway.kill();
    let _gateway = stage.gateway("rate: 20/s").await;
    for number in 0..21 {
        stage.store(&format!("ok {number}")).await;
    }
    stage.all_acknowledged().await;
    let calls: Vec<_> = stage.functions.calls().into_iter().filter(|call| call.body.starts_with("ok")).collect();
    let took = calls[20].at - calls[0].at;
    assert!(took >= Duration::from_millis(900), "20 a second, and 21 took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_kept_while_its_function_takes_longer_than_the_ack_wait() {
    let Some(stage) = Stage::new(json!({"ack_wait": 1_000_000_000})).await else { return };
    let _gateway = stage.gateway("concurrency: 2").await;
    for number in 0..6 {
        stage.store(&format!("hold {number}")).await;
    }
    assert!(until(LIMIT, async || stage.functions.running() == 2).await);
    // Three times the wait, by the server's own clock: another consumer's message is delivered again as often.
    let kept = tokio::time::Instant::now();
    assert!(until(LIMIT, async || kept.elapsed() > Duration::from_secs(3)).await);
    stage.functions.release();
    stage.all_acknowledged().await;
    let calls = stage.functions.calls();
    assert!(calls.iter().all(|call| call.attempt == 1) && calls.len() == 6, "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_is_invoked_by_its_name() {
    let Some(stage) = Stage::new(json!({})).await else { return };
    let yaml = stage.yaml("request: {path: '/orders/{{ text }}'}").replace("to: f,", "to: {route: take},")
        + "routes:\n  - {name: take, match: 'PUT /orders/{id}', to: f, request: {headers: {set: {x-id: '{{ params.id }}'}}}}\n";
    let _gateway = crate::gateway::Gateway::start(&yaml, "30s").await;
    stage.store("ok").await;
    // Until the server has offered it, nothing is unacknowledged either.
    assert!(until(LIMIT, async || !stage.functions.calls().is_empty()).await);
    stage.all_acknowledged().await;
    assert_eq!(stage.functions.calls()[0].headers["x-id"], "ok");
}
