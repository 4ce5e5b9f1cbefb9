//! A server that goes away and comes back.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use callgate_testkit::peers::{Fault, FaultProxy, until};
use serde_json::{Value, json};

use crate::{
    jetstream::{api, stream},
    stage::{Stage, client, server},
};

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_leaves_the_outcome_unknown() {
    let Some(server) = server("").await else { return };
    let stage = Stage::new(&server, "", &[("new", "subject: a"), ("store", "subject: a, mode: jetstream")]).await;
    stage.post("/new/x", "").await.succeeds(202);
    server.pause();
    for path in ["/quick/new/x", "/quick/store/x"] {
        let answer = stage.post(path, "").await;
        answer.fails(504, "upstream_timeout");
        assert!(answer.json()["detail"].as_str().unwrap().contains("unknown"), "{answer:?}");
    }
    server.resume();
    let works = async || stage.post("/new/x", "").await.status == 202;
    assert!(until(LIMIT, works).await);
}

/// Both attempts reach the server, one behind the other, as soon as it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn all_attempts_of_a_request_are_one_message_to_a_stream() {
    let Some(server) = server("").await else { return };
    let client = client(&server).await;
    stream(&client, "ONCE", json!({"subjects": ["once"]})).await;
    let target = "subject: once, mode: jetstream, message_id: '{{ uuid() }}'";
    let policies = "retry: {attempts: 2, backoff: {initial: 0ms}, budget: 100%}\n    timeout: {attempt: 500ms}";
    let upstream = format!("{{servers: \"{}\"}}\n    {policies}", server.url());
    let stage = Stage::of(&upstream, &[("new", target)]).await;
    assert_eq!(stage.post("/new/x", "first").await.json()["sequence"], 1);
    server.pause();
    stage.post("/new/x", "second").await.fails(504, "upstream_timeout");
    server.resume();
    // The server takes the messages of a connection in their order, and had two of the second request before this one.
    let works = async || stage.post("/new/x", "third").await.status == 202;
    assert!(until(LIMIT, works).await);
    let stored = api(&client, "STREAM.INFO.ONCE", Value::Null).await["state"]["last_seq"].as_u64().unwrap();
    let mut bodies = Vec::new();
    for sequence in 1..=stored {
        let message = api(&client, "STREAM.MSG.GET.ONCE", json!({"seq": sequence})).await["message"]["data"].clone();
        bodies.push(String::from_utf8(STANDARD.decode(message.as_str().unwrap()).unwrap()).unwrap());
    }
    assert_eq!(bodies.iter().filter(|body| *body == "second").count(), 1, "{bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_is_made_again() {
    let Some(server) = server("").await else { return };
    let proxy = FaultProxy::start(server.address().parse().unwrap()).await.unwrap();
    let upstream = format!("{{servers: \"nats://{}\"}}", proxy.address());
    let stage = Stage::of(&upstream, &[("new", "subject: a")]).await;
    stage.post("/new/x", "").await.succeeds(202);
    proxy.set(Fault::Refuse);
    let gone = async || stage.post("/new/x", "").await.code.as_deref() == Some("upstream_unavailable");
    assert!(until(LIMIT, gone).await);
    stage.ready().await.unwrap_err();
    proxy.set(Fault::None);
    let back = async || stage.post("/new/x", "").await.status == 202;
    assert!(until(LIMIT, back).await);
    stage.ready().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_of_the_list_takes_over() {
    let Some(mut first) = server("").await else { return };
    let Some(second) = server("").await else { return };
    let upstream = format!("{{servers: [\"{}\", \"{}\"]}}", first.url(), second.url());
    let stage = Stage::of(&upstream, &[("new", "subject: a")]).await;
    stage.post("/new/x", "").await.succeeds(202);
    first.kill();
    let works = async || stage.post("/new/x", "").await.status == 202;
    assert!(until(LIMIT, works).await);
}
