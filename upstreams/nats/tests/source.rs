//! The conformance suite of sources against a durable consumer of a stream of nats-server.

use std::{process::ExitCode, time::Duration};

use async_nats::Client;
use callgate_core::Registry;
use callgate_nats::NatsTrigger;
use callgate_testkit::{
    conformance::{Source, run_source},
    peers::{NatsServer, PeerError, absent},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// How long a server may take to have its streams again.
const LIMIT: Duration = Duration::from_secs(30);

struct Consumer(NatsServer);

impl Consumer {
    async fn client(&self) -> Result<Client, String> {
        async_nats::connect(self.0.url()).await.map_err(|error| error.to_string())
    }

    async fn api(&self, subject: &str, request: &Value) -> Result<Value, String> {
        let (client, subject) = (self.client().await?, format!("$JS.API.{subject}"));
        let reply = client.request(subject, request.to_string().into()).await.map_err(|error| error.to_string())?;
        let reply: Value = serde_json::from_slice(&reply.payload).map_err(|error| error.to_string())?;
        if reply["error"].is_null() { Ok(reply) } else { Err(reply.to_string()) }
    }
}

impl Source for Consumer {
    fn registry() -> Registry {
        Registry::new().with_trigger::<NatsTrigger>()
    }

    async fn start() -> Result<Option<Self>, String> {
        let server = match NatsServer::start("").await {
            Ok(server) => Self(server),
            Err(missing @ PeerError::Missing { .. }) => {
                absent(missing);
                return Ok(None);
            }
            Err(error) => return Err(error.to_string()),
        };
        server.api("STREAM.CREATE.ORDERS", &json!({"name": "ORDERS", "subjects": ["orders"]})).await?;
        let config = json!({"durable_name": "gateway", "ack_policy": "explicit", "max_deliver": -1});
        let request = json!({"stream_name": "ORDERS", "config": config});
        server.api("CONSUMER.DURABLE.CREATE.ORDERS.gateway", &request).await?;
        Ok(Some(server))
    }

    fn trigger(&self) -> String {
        format!("nats: {{servers: '{}', stream: ORDERS, consumer: gateway}}", self.0.url())
    }

    async fn put(&mut self, payload: &str) -> Result<(), String> {
        let kept = self.client().await?.request("orders", payload.to_owned().into()).await;
        kept.map(drop).map_err(|error| error.to_string())
    }

    async fn left(&mut self) -> Result<usize, String> {
        let info = self.api("CONSUMER.INFO.ORDERS.gateway", &json!({})).await?;
        let number = |field: &str| info[field].as_u64().ok_or_else(|| format!("{info}"));
        usize::try_from(number("num_pending")? + number("num_ack_pending")?).map_err(|error| error.to_string())
    }

    async fn kill(&mut self) {
        self.0.kill();
    }

    /// Waits until it has its streams again, too.
    async fn restart(&mut self) -> Result<(), String> {
        self.0.restart().await.map_err(|error| error.to_string())?;
        let (begun, mut last) = (Instant::now(), self.left().await);
        while last.is_err() && begun.elapsed() < LIMIT {
            sleep(Duration::from_millis(20)).await;
            last = self.left().await;
        }
        last.map(drop)
    }
}

fn main() -> ExitCode {
    run_source::<Consumer>()
}
