//! A cluster that loses one server after the other while a replicated stream is written to.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, ConnectOptions};
use callgate_testkit::peers::{NatsCluster, present, until};
use futures_util::{StreamExt, future::join_all};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::stage::Stage;

const LIMIT: Duration = Duration::from_secs(60);

/// What JetStream's API answers, asked until it is no error: a cluster without a leader answers later.
async fn api(client: &Client, call: &str, body: Value) -> Value {
    let mut answer = Value::Null;
    let asked = async || {
        let Ok(reply) = client.request(format!("$JS.API.{call}"), body.to_string().into()).await else { return false };
        answer = serde_json::from_slice(&reply.payload).unwrap();
        answer.get("error").is_none()
    };
    assert!(until(LIMIT, asked).await, "{answer}");
    answer
}

/// Every payload in the stream.
async fn stored(client: &Client, stream: &str) -> HashSet<String> {
    let inbox = client.new_inbox();
    let mut messages = client.subscribe(inbox.clone()).await.unwrap();
    let config = json!({"deliver_subject": inbox, "ack_policy": "none"});
    let call = format!("CONSUMER.CREATE.{stream}");
    api(client, &call, json!({"stream_name": stream, "config": config})).await;
    let info = api(client, &format!("STREAM.INFO.{stream}"), Value::Null).await;
    let mut found = HashSet::new();
    for _ in 0..info["state"]["messages"].as_u64().unwrap() {
        let message = timeout(LIMIT, messages.next()).await.unwrap().unwrap();
        found.insert(String::from_utf8(message.payload.to_vec()).unwrap());
    }
    found
}

#[derive(Default)]
struct Load {
    over: AtomicBool,
    accepted: AtomicUsize,
}

impl Load {
    /// Publishes until it is over; answers what was accepted.
    async fn send(&self, stage: &Stage, name: usize) -> Vec<String> {
        let mut accepted = Vec::new();
        for number in 0.. {
            if self.over.load(Ordering::Relaxed) {
                break;
            }
            let text = format!("{name}-{number}");
            let answer = stage.send(http::Request::post("/keep/x"), text.clone()).await;
            match answer.status {
                202 => {
                    accepted.push(text);
                    self.accepted.fetch_add(1, Ordering::Relaxed);
                }
                502..=504 => tokio::time::sleep(Duration::from_millis(5)).await,
                _ => panic!("{answer:?}"),
            }
        }
        accepted
    }

    async fn goes_on(&self) {
        let goal = self.accepted.load(Ordering::Relaxed) + 100;
        assert!(until(LIMIT, async || self.accepted.load(Ordering::Relaxed) >= goal).await, "nothing is accepted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replicated_stream_loses_nothing_when_one_server_after_the_other_dies() {
    let Some(mut cluster) = present(NatsCluster::start(3).await) else { return };
    let client = ConnectOptions::new()
        .reconnect_delay_callback(|_| Duration::from_millis(50))
        .connect(cluster.urls())
        .await
        .unwrap();
    let config = json!({"name": "KEPT", "subjects": ["kept"], "storage": "file", "num_replicas": 3});
    api(&client, "STREAM.CREATE.KEPT", config).await;
    // The gateway is told of one server and learns of the others from it.
    let upstream = format!("{{servers: \"{}\"}}", cluster.servers[0].url());
    let stage = Stage::of(&upstream, &[("keep", "subject: kept, mode: jetstream")]).await;
    let load = Arc::new(Load::default());
    let killer = async {
        for number in 0..3 {
            load.goes_on().await;
            cluster.servers[number].kill();
            load.goes_on().await;
            cluster.servers[number].restart().await.unwrap();
        }
        load.goes_on().await;
        load.over.store(true, Ordering::Relaxed);
    };
    let (accepted, ()) = tokio::join!(join_all((0..4).map(|name| load.send(&stage, name))), killer);
    let stored = stored(&client, "KEPT").await;
    let lost: Vec<_> = accepted.into_iter().flatten().filter(|text| !stored.contains(text)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}
