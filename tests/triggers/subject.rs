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
    stage.client.request(subject, payload.into()).await.is_err()
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
