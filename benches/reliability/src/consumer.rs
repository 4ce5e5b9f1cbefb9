//! A durable consumer of a stream of NATS.

use std::time::Duration;

use async_nats::Client;
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use crate::{
    Problem,
    broker::Later,
    jetstream::{Server, api, contents},
    source::Source,
};

/// How long a message of a gateway that was killed waits.
const ACK_WAIT: Duration = Duration::from_secs(5);
/// How many messages are stored at once.
const AT_ONCE: u64 = 256;

/// A server with the stream `WORK`, its consumer, and the stream `DEAD`.
pub(crate) struct Consumer {
    server: Server,
    client: Client,
}

impl Consumer {
    pub(crate) async fn start() -> Result<Option<Self>, Problem> {
        let Some(server) = Server::start().await? else { return Ok(None) };
        let client = server.client().await?;
        for (stream, subject) in [("WORK", "work"), ("DEAD", "dead")] {
            let config = json!({"name": stream, "subjects": [subject], "storage": "file", "num_replicas": 1});
            api(&client, &format!("STREAM.CREATE.{stream}"), &config).await?;
        }
        let wait = u64::try_from(ACK_WAIT.as_nanos())?;
        let config = json!({"durable_name": "gateway", "ack_policy": "explicit", "ack_wait": wait, "max_deliver": -1});
        let request = json!({"stream_name": "WORK", "config": config});
        api(&client, "CONSUMER.DURABLE.CREATE.WORK.gateway", &request).await?;
        Ok(Some(Self { server, client }))
    }
}

impl Source for Consumer {
    fn trigger(&self) -> String {
        format!("nats: {{servers: \"{}\", stream: WORK, consumer: gateway}}", self.server.url())
    }

    fn upstream(&self) -> String {
        format!("{{nats: {{servers: \"{}\"}}}}", self.server.url())
    }

    fn dead_letter(&self) -> String {
        "{upstream: broker, subject: dead, mode: jetstream}".to_owned()
    }

    fn store(&mut self, messages: u64) -> Later<'_, ()> {
        Box::pin(async move {
            let mut first = 0;
            while first < messages {
                let end = messages.min(first + AT_ONCE);
                let stored = (first..end).map(|number| self.client.request("work", number.to_string().into()));
                for answer in try_join_all(stored).await? {
                    let told: Value = serde_json::from_slice(&answer.payload)?;
                    if told.get("seq").is_none() {
                        return Err(format!("a message was not stored: {told}").into());
                    }
                }
                first = end;
            }
            Ok(())
        })
    }

    fn left(&mut self) -> Later<'_, u64> {
        Box::pin(async {
            let info = api(&self.client, "CONSUMER.INFO.WORK.gateway", &Value::Null).await?;
            let number = |name: &str| info[name].as_u64().ok_or_else(|| format!("no `{name}` in {info}"));
            Ok(number("num_pending")? + number("num_ack_pending")?)
        })
    }

    fn dead(&mut self) -> Later<'_, Vec<Vec<u8>>> {
        Box::pin(contents(&self.client, "DEAD"))
    }
}
