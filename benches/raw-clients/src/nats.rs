//! NATS: plain, with replies, and JetStream.

use async_nats::Client;
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{ACCEPTED, Problem, Work};

const SUBJECT: &str = "measured";
/// What the stream takes, and keeps the latest of.
const STORED: &str = "stored";

/// A stream's acknowledgement; what else it says is passed over.
#[derive(serde::Deserialize)]
struct Stored {
    seq: u64,
}

/// Publishes and flushes.
pub(crate) struct Publish(Client);

/// Publishes and waits for a reply: a responder's, or a stream's acknowledgement.
pub(crate) struct Ask {
    client: Client,
    subject: &'static str,
}

impl Publish {
    pub(crate) async fn new(url: &str) -> Result<Self, Problem> {
        Ok(Self(async_nats::connect(url).await?))
    }
}

impl Ask {
    pub(crate) async fn new(url: &str) -> Result<Self, Problem> {
        Ok(Self { client: async_nats::connect(url).await?, subject: SUBJECT })
    }

    pub(crate) async fn stream(url: &str) -> Result<Self, Problem> {
        Ok(Self { client: async_nats::connect(url).await?, subject: STORED })
    }
}

impl Work for Publish {
    async fn send(&self, payload: Bytes) -> Result<Bytes, Problem> {
        self.0.publish(SUBJECT, payload).await?;
        self.0.flush().await?;
        Ok(ACCEPTED)
    }
}

impl Work for Ask {
    async fn send(&self, payload: Bytes) -> Result<Bytes, Problem> {
        let reply = self.client.request(self.subject, payload).await?;
        if self.subject != STORED {
            return Ok(reply.payload);
        }
        let told: Stored = serde_json::from_slice(&reply.payload)?;
        if told.seq == 0 { Err("the stream acknowledged nothing".into()) } else { Ok(ACCEPTED) }
    }
}

/// Makes the stream.
pub(crate) async fn make_stream(url: &str) -> Result<(), Problem> {
    let client = async_nats::connect(url).await?;
    let config = json!({
        "name": "MEASURED", "subjects": [STORED], "storage": "file", "max_msgs": 100_000, "discard": "old",
    });
    let reply = client.request("$JS.API.STREAM.CREATE.MEASURED", config.to_string().into()).await?;
    let told: Value = serde_json::from_slice(&reply.payload)?;
    match told.get("error") {
        Some(error) => Err(format!("the stream can't be made: {error}").into()),
        None => Ok(()),
    }
}

/// Answers requests with their payload for as long as it runs.
pub(crate) async fn respond(url: &str, listener: TcpListener) -> Result<(), Problem> {
    let client = async_nats::connect(url).await?;
    let mut requests = client.subscribe(SUBJECT).await?;
    loop {
        tokio::select! {
            request = requests.next() => {
                let request = request.ok_or("the connection is gone")?;
                if let Some(inbox) = request.reply {
                    client.publish(inbox, request.payload).await?;
                }
            }
            looked = listener.accept() => drop(looked?),
        }
    }
}
