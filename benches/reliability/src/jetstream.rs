//! A stream of NATS.

use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions};
use callgate_testkit::peers::{NatsServer, PeerError};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{
    Problem,
    broker::{Broker, Later},
};

const LIMIT: Duration = Duration::from_secs(60);

/// A server of NATS.
pub(crate) struct Server(NatsServer);

impl Server {
    /// Starts one; `None` where it is not installed, which is said.
    pub(crate) async fn start() -> Result<Option<Self>, Problem> {
        match NatsServer::start("").await {
            Ok(server) => Ok(Some(Self(server))),
            Err(missing @ PeerError::Missing { .. }) => {
                eprintln!("{missing}");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    pub(crate) async fn client(&self) -> Result<Client, Problem> {
        // What a consumer is sent waits here; nothing may be dropped.
        Ok(ConnectOptions::new().subscription_capacity(1 << 22).connect(self.url()).await?)
    }
}

/// A server with one stream in files.
pub(crate) struct JetStream {
    server: Server,
}

impl JetStream {
    pub(crate) async fn start() -> Result<Option<Box<dyn Broker>>, Problem> {
        let Some(server) = Server::start().await? else { return Ok(None) };
        let stream = Self { server };
        let config = json!({"name": "KEPT", "subjects": ["kept"], "storage": "file", "num_replicas": 1});
        api(&stream.server.client().await?, "STREAM.CREATE.KEPT", &config).await?;
        Ok(Some(Box::new(stream)))
    }

    async fn stored(&self) -> Result<Vec<Vec<u8>>, Problem> {
        contents(&self.server.client().await?, "KEPT").await
    }
}

/// The payload of every message of a stream.
pub(crate) async fn contents(client: &Client, stream: &str) -> Result<Vec<Vec<u8>>, Problem> {
    let info = api(client, &format!("STREAM.INFO.{stream}"), &Value::Null).await?;
    let count = info["state"]["messages"].as_u64().unwrap_or_default();
    let inbox = client.new_inbox();
    let mut messages = client.subscribe(inbox.clone()).await?;
    let config = json!({"deliver_subject": inbox, "deliver_policy": "all", "ack_policy": "none"});
    api(client, &format!("CONSUMER.CREATE.{stream}"), &json!({"stream_name": stream, "config": config})).await?;
    let mut stored = Vec::new();
    for _ in 0..count {
        let next = timeout(LIMIT, messages.next()).await.map_err(|_| "the stream delivers no more")?;
        stored.push(next.ok_or("the connection is gone")?.payload.to_vec());
    }
    Ok(stored)
}

impl Broker for JetStream {
    fn upstream(&self) -> String {
        format!("{{nats: {{servers: \"{}\"}}}}", self.server.url())
    }

    fn to(&self) -> String {
        "{upstream: broker, subject: kept, mode: jetstream}".to_owned()
    }

    fn kill(&mut self) {
        self.server.0.kill();
    }

    fn restart(&mut self) -> Later<'_, ()> {
        Box::pin(async { Ok(self.server.0.restart().await?) })
    }

    fn contents(&mut self) -> Later<'_, Vec<Vec<u8>>> {
        Box::pin(self.stored())
    }
}

/// Asks JetStream's API until it answers without an error: a server that has just started does so a little later.
pub(crate) async fn api(client: &Client, call: &str, body: &Value) -> Result<Value, Problem> {
    let end = Instant::now() + LIMIT;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    loop {
        let asked = client.request(format!("$JS.API.{call}"), body.clone().into()).await;
        let answer: Result<Value, Problem> = match asked {
            Ok(reply) => serde_json::from_slice(&reply.payload).map_err(Into::into),
            Err(error) => Err(error.into()),
        };
        match answer {
            Ok(answer) if answer.get("error").is_none() => return Ok(answer),
            Ok(answer) if Instant::now() > end => return Err(format!("{call}: {answer}").into()),
            Err(error) if Instant::now() > end => return Err(format!("{call}: {error}").into()),
            _ => sleep(Duration::from_millis(50)).await,
        }
    }
}
