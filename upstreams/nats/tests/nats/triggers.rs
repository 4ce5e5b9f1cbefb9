//! Messages of a stream that invoke functions of the same kind.

use std::time::Duration;

use async_nats::{Client, HeaderMap};
use callgate_testkit::peers::{NatsServer, Wire, until};
use serde_json::{Value, json};

use crate::{
    jetstream::{api, stream},
    stage::{Stage, client, server},
};

const LIMIT: Duration = Duration::from_secs(60);

/// The streams `WORK`, with a durable consumer of these settings, and `DONE` and `DEAD`.
async fn streams(server: &NatsServer, consumer: Value) -> Client {
    let client = client(server).await;
    for (name, subject) in [("WORK", "work"), ("DONE", "done"), ("DEAD", "dead")] {
        stream(&client, name, json!({"subjects": [subject]})).await;
    }
    let mut config = json!({"durable_name": "c", "ack_policy": "explicit", "max_deliver": -1});
    config.as_object_mut().unwrap().extend(consumer.as_object().unwrap().clone());
    api(&client, "CONSUMER.DURABLE.CREATE.WORK.c", json!({"stream_name": "WORK", "config": config})).await;
    client
}

/// A gateway whose triggers of these names have the consumer's messages processed by the function.
async fn gateway(server: &NatsServer, function: &str) -> Stage {
    let server = server.url();
    Stage::read(&format!(
        "upstreams:\n  events:\n    nats: {{servers: '{server}'}}\n    functions:\n\
         \x20     done: {{subject: done, mode: jetstream}}\n\
         \x20     fails: {{subject: nowhere, mode: jetstream}}\n\
         \x20     dead: {{subject: dead, mode: jetstream}}\n\
         defaults: {{timeout: 20s}}\n\
         triggers:\n  t:\n    nats: {{servers: '{server}', stream: WORK, consumer: c}}\n    to: events/{function}\n    \
         concurrency: 8\n    retry: {{attempts: 1}}\n    dead_letter: {{to: events/dead}}\n"
    ))
    .await
}

async fn holds(client: &Client, stream: &str, messages: u64) {
    let mut state = Value::Null;
    let all = async || {
        state = api(client, &format!("STREAM.INFO.{stream}"), Value::Null).await;
        state["state"]["messages"] == messages
    };
    assert!(until(LIMIT, all).await, "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_no_duplicate_of_another_with_the_same_key() {
    let Some(server) = server("").await else { return };
    let client = streams(&server, json!({})).await;
    let _stage = gateway(&server, "fails").await;
    let mut headers = HeaderMap::new();
    headers.insert("idempotency-key", "k1");
    for _ in 0..2 {
        client.publish_with_headers("work", headers.clone(), "x".into()).await.unwrap();
    }
    holds(&client, "DEAD", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_limits_pulls_is_pulled_from_within_its_limits() {
    for limits in [json!({"max_batch": 2}), json!({"max_expires": 2_000_000_000_u64})] {
        let Some(server) = server("").await else { return };
        let client = streams(&server, limits).await;
        let _stage = gateway(&server, "done").await;
        for _ in 0..20 {
            client.publish("work", "x".into()).await.unwrap();
        }
        holds(&client, "DONE", 20).await;
    }
}

/// Of late servers take the status away before they store a message; earlier ones deliver it.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_with_a_status_is_a_message() {
    let Some(server) = server("").await else { return };
    let client = streams(&server, json!({})).await;
    let _stage = gateway(&server, "done").await;
    let mut wire = Wire::connect(server.address().parse().unwrap()).await.unwrap();
    wire.send("CONNECT {\"verbose\":false,\"headers\":true}\r\n".to_owned()).await.unwrap();
    for status in ["409 Consumer Deleted", "100", "404", "503"] {
        let head = format!("NATS/1.0 {status}\r\n\r\n");
        let publish = format!("HPUB work {} {}\r\n{head}x\r\n", head.len(), head.len() + 1);
        wire.send(publish).await.unwrap();
    }
    holds(&client, "WORK", 4).await;
    holds(&client, "DONE", 4).await;
    let settled = async || api(&client, "CONSUMER.INFO.WORK.c", Value::Null).await["num_ack_pending"] == 0;
    assert!(until(LIMIT, settled).await);
}
