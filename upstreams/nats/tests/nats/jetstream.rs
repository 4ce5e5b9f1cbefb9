//! Messages that a stream stores.

use async_nats::Client;
use http::Request;
use serde_json::{Value, json};

use crate::stage::{Stage, client, server, settled};

/// Asks JetStream's API, so that the test needs no more of the client than the gateway.
pub(crate) async fn api(client: &Client, call: &str, body: Value) -> Value {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let reply = client.request(format!("$JS.API.{call}"), body.into()).await.unwrap();
    let reply: Value = serde_json::from_slice(&reply.payload).unwrap();
    assert!(reply.get("error").is_none(), "{reply}");
    reply
}

pub(crate) async fn stream(client: &Client, name: &str, settings: Value) {
    let mut config = json!({"name": name, "storage": "file", "num_replicas": 1, "retention": "limits"});
    config.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    api(client, &format!("STREAM.CREATE.{name}"), config).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_message_is_acknowledged_and_a_repeated_one_is_told() {
    let Some(server) = server("").await else { return };
    let client = client(&server).await;
    stream(&client, "ORDERS", json!({"subjects": ["orders.>"]})).await;
    let functions = [
        ("new", "subject: 'orders.{{ params.v }}', mode: jetstream"),
        ("own", "subject: orders.own, mode: jetstream, message_id: 'id-{{ params.v }}', expected_stream: ORDERS"),
    ];
    let stage = Stage::new(&server, "", &functions).await;
    let first = stage.post("/new/a", "1").await;
    first.succeeds(202);
    let told = first.json();
    assert_eq!((&told["stream"], &told["sequence"], &told["duplicate"]), (&json!("ORDERS"), &json!(1), &json!(false)));
    assert_eq!(stage.post("/new/a", "2").await.json()["sequence"], 2);
    let repeated = || stage.send(Request::post("/new/a").header("idempotency-key", "k1"), "3");
    assert_eq!(repeated().await.json()["duplicate"], false);
    let again = repeated().await.json();
    assert_eq!((&again["duplicate"], &again["sequence"]), (&json!(true), &json!(3)));
    assert_eq!(stage.post("/own/x", "").await.json()["duplicate"], false);
    assert_eq!(stage.post("/own/x", "").await.json()["duplicate"], true);
    let stored = api(&client, "STREAM.INFO.ORDERS", Value::Null).await;
    assert_eq!(stored["state"]["messages"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_a_stream_has_its_answer() {
    let Some(server) = server("").await else { return };
    let client = client(&server).await;
    stream(&client, "FULL", json!({"subjects": ["full"], "max_msgs": 1, "discard": "new"})).await;
    stream(&client, "SMALL", json!({"subjects": ["small"], "max_msg_size": 10})).await;
    let functions = [
        ("none", "subject: nowhere, mode: jetstream"),
        ("other", "subject: full, mode: jetstream, expected_stream: OTHER"),
        ("full", "subject: full, mode: jetstream"),
        ("small", "subject: small, mode: jetstream"),
    ];
    let stage = Stage::new(&server, "", &functions).await;
    stage.post("/none/x", "").await.fails(502, "unroutable");
    stage.post("/other/x", "").await.fails(502, "unroutable");
    stage.post("/full/x", "").await.succeeds(202);
    stage.post("/full/x", "").await.fails(503, "upstream_throttled");
    stage.post("/small/x", "more than ten").await.fails(413, "body_too_large");
    // A subscriber that is no stream answers something else.
    let mut seen = client.subscribe("nowhere").await.unwrap();
    settled(&client).await;
    let silent = stage.post("/quick/none/x", "").await;
    silent.fails(504, "upstream_timeout");
    assert!(silent.json()["detail"].as_str().unwrap().contains("unknown"), "{silent:?}");
    drop(seen.unsubscribe().await);
}
