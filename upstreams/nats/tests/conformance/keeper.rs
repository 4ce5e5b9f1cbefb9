//! A stream that keeps what the suite publishes.

use std::time::Duration;

use async_nats::{Client, Message};
use callgate_testkit::conformance::Taken;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(30);

/// The stream `KEPT` of the subjects `kept.>`.
pub(crate) struct Keeper {
    client: Client,
}

impl Keeper {
    pub(crate) async fn start(client: Client) -> Result<Self, String> {
        let keeper = Self { client };
        let config = json!({"name": "KEPT", "subjects": ["kept.>"], "storage": "file", "num_replicas": 1});
        keeper.api("STREAM.CREATE.KEPT", &config).await?;
        Ok(keeper)
    }

    /// All messages of the stream, by a consumer of its own.
    pub(crate) async fn taken(&self) -> Result<Vec<Taken>, String> {
        let inbox = self.client.new_inbox();
        let mut messages = self.client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
        let config = json!({"deliver_subject": inbox, "deliver_policy": "all", "ack_policy": "none"});
        let created = self.api("CONSUMER.CREATE.KEPT", &json!({"stream_name": "KEPT", "config": config})).await?;
        // What was delivered by the time of the answer is not pending any more.
        let pending = created["num_pending"].as_u64().unwrap_or_default();
        let delivered = created["delivered"]["consumer_seq"].as_u64().unwrap_or_default();
        let mut taken = Vec::new();
        for _ in 0..pending + delivered {
            let next = timeout(LIMIT, messages.next()).await.map_err(|_| "the stream delivers no more")?;
            taken.push(read(&next.ok_or("the connection is gone")?));
        }
        Ok(taken)
    }

    /// A server that has just started answers a little later.
    async fn api(&self, call: &str, body: &Value) -> Result<Value, String> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let asked = self.client.request(format!("$JS.API.{call}"), body.to_string().into()).await;
            let answer: Result<Value, String> = match asked {
                Ok(reply) => serde_json::from_slice(&reply.payload).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match answer {
                Ok(answer) if answer.get("error").is_none() => return Ok(answer),
                other if attempts > 100 => return Err(format!("{call}: {other:?}")),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

fn read(message: &Message) -> Taken {
    let headers = message
        .headers
        .iter()
        .flat_map(async_nats::HeaderMap::iter)
        .flat_map(|(name, values)| values.iter().map(move |value| (name.to_string(), value.as_str().to_owned())));
    Taken { headers: headers.collect(), payload: message.payload.to_vec() }
}
