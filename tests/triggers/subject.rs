//! Messages of a subject, and a consumer that can't be used.

use std::process::Command;

use callgate_testkit::peers::{Process, until};
use serde_json::json;

use crate::{
    broker::Stage,
    gateway::{Gateway, LIMIT},
};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_a_subject_is_answered() {
    let Some(stage) = Stage::new(json!({})).await else { return };
    let (functions, server) = (stage.functions.address, stage.server.url());
    let yaml = format!(
        "upstreams: {{f: {{rest: {{url: 'http://{functions}'}}}}}}\n\
         triggers: {{asked: {{nats: {{servers: '{server}', subject: 'ask.*', queue: gateways}}, to: f, \
         retry: {{attempts: 3, backoff: {{initial: 20ms}}}}}}}}\n"
    );
    let _gateways = [Gateway::start(&yaml, "30s").await, Gateway::start(&yaml, "30s").await];
    // A subscription begins some time after the start.
    let subscribed = async || !no_responders(&stage, "ask.first", "ok").await;
    assert!(until(LIMIT, subscribed).await);
    let before = stage.functions.calls().len();
    let reply = stage.client.request("ask.prices", "ok 1".into()).await.unwrap();
    assert_eq!(reply.payload, "answer to ok 1");
    assert!(reply.headers.unwrap().get("Nats-Service-Error-Code").is_none());
    let reply = stage.client.request("ask.prices", "bad".into()).await.unwrap();
    let headers = reply.headers.unwrap();
    assert_eq!(headers.get("Nats-Service-Error-Code").unwrap().as_str(), "404");
    assert_eq!(reply.payload, "answer to bad");
    let reply = stage.client.request("ask.prices", "fail 2".into()).await.unwrap();
    assert_eq!(reply.payload, "answer to fail 2");
    let calls = stage.functions.calls();
    assert_eq!(calls.len() - before, 5, "one gateway of the group gets a message: {calls:?}");
    assert_eq!(calls.last().unwrap().headers["callgate-subject"], "ask.prices");
}

async fn no_responders(stage: &Stage, subject: &'static str, payload: &'static str) -> bool {
    let asked = stage.client.request(subject, payload.into()).await;
    asked.is_err_and(|error| error.kind() == async_nats::RequestErrorKind::NoResponders)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_can_not_be_used_is_told() {
    let Some(stage) = Stage::new(json!({"ack_policy": "none"})).await else { return };
    for (yaml, said) in [
        (stage.yaml(""), "its ack policy is `none`; a trigger needs `explicit`"),
        (stage.yaml("").replace("consumer: c", "consumer: other"), "consumer not found"),
    ] {
        let folder = Process::folder("gateway").unwrap();
        std::fs::write(folder.path().join("callgate.yaml"), yaml).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
        command.args(["check", "callgate.yaml", "--connect"]).current_dir(folder.path());
        let told = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let told = String::from_utf8(told.stderr).unwrap();
        assert!(told.contains("trigger work is not ready") && told.contains(said), "{told}");
    }
}

/// A gateway that works on one message of `ask.>` at a time, and listens.
async fn asked(stage: &Stage, settings: &str, grace: &str) -> Gateway {
    let (functions, server) = (stage.functions.address, stage.server.url());
    let yaml = format!(
        "upstreams:\n  f: {{rest: {{url: 'http://{functions}'}}}}\n  n: {{nats: {{servers: '{server}'}}, timeout: 5s}}\n\
         triggers: {{asked: {{nats: {{servers: '{server}', subject: 'ask.>', queue: q}}, to: f, concurrency: 1, {settings}}}}}\n"
    );
    let gateway = Gateway::start(&yaml, grace).await;
    assert!(until(LIMIT, async || !no_responders(stage, "ask.first", "ok").await).await);
    gateway
}

/// Publishes messages to `ask.x`, and waits until the server has handed them out.
async fn publish(stage: &Stage, payloads: &[&'static str]) {
    use futures_util::StreamExt;
    let mut seen = stage.client.subscribe("ask.x").await.unwrap();
    for payload in payloads {
        stage.client.publish("ask.x", (*payload).into()).await.unwrap();
    }
    for _ in payloads {
        seen.next().await.unwrap();
    }
    assert!(until(LIMIT, async || stage.functions.running() == 1).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_come_from_a_subject_is_worked_on_to_the_end() {
    let Some(stage) = Stage::new(json!({})).await else { return };
    let mut gateway = asked(&stage, "", "30s").await;
    publish(&stage, &["hold 1", "ok 2", "ok 3"]).await;
    assert_eq!(gateway.admin("/triggers").await[0]["running"], 1);
    gateway.terminate();
    gateway.says("Draining.").await;
    let left = async || no_responders(&stage, "ask.late", "late").await;
    assert!(until(LIMIT, left).await, "the gateway has left the group");
    stage.functions.release();
    assert_eq!(gateway.ended().await, Some(0));
    assert_eq!(["hold 1", "ok 2", "ok 3"].map(|payload| stage.functions.tries(payload)), [1, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_subject_does_not_keep_is_in_the_dead_letter_or_told_as_lost() {
    let Some(stage) = Stage::new(json!({})).await else { return };
    stage.stream("DEAD", "dead.>").await;
    let lost = "A message is lost as the gateway ends: its source keeps nothing, and no dead letter has taken it.";
    let mut gateway = asked(&stage, "", "200ms").await;
    publish(&stage, &["hold 1"]).await;
    gateway.terminate();
    assert_eq!(gateway.ended().await, Some(1));
    assert_eq!(gateway.lines(lost).len(), 1);
    assert!(until(LIMIT, async || stage.functions.running() == 0).await);
    let dead = "dead_letter: {to: {upstream: n, function: dead.ask, mode: jetstream, expected_stream: DEAD}}";
    let mut gateway = asked(&stage, dead, "200ms").await;
    publish(&stage, &["hold 2", "ok 3"]).await;
    gateway.terminate();
    assert_eq!(gateway.ended().await, Some(1), "what ran was cut off");
    assert!(gateway.lines(lost).is_empty());
    let (headers, payload) = stage.last("DEAD", "dead.ask").await;
    assert_eq!(payload, "ok 3");
    assert!(headers.contains("upstream_unavailable"), "{headers}");
    let info = stage.api("STREAM.INFO.DEAD", serde_json::Value::Null).await;
    assert_eq!(info["state"]["messages"], 2, "{info}");
}
