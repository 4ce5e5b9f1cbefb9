//! A NATS server, its client, and a stage around both.

use async_nats::{Client, HeaderMap};
use callgate_testkit::peers::{NatsServer, present, until};
use serde_json::{Value, json};

use crate::{
    functions::Functions,
    gateway::{Gateway, LIMIT},
};

/// Everything but the gateway.
pub(crate) struct Stage {
    pub(crate) server: NatsServer,
    pub(crate) client: Client,
    pub(crate) functions: Functions,
}

impl Stage {
    /// A server with the stream `WORK` of `work.>` and its durable consumer `c`, unless nats-server is not installed.
    pub(crate) async fn new(consumer: Value) -> Option<Self> {
        let server = present(NatsServer::start("").await)?;
        let client = async_nats::connect(server.url()).await.unwrap();
        let stage = Self { server, client, functions: Functions::start().await };
        stage.stream("WORK", "work.>").await;
        let mut config =
            json!({"durable_name": "c", "ack_policy": "explicit", "ack_wait": 60_000_000_000_u64, "max_deliver": -1});
        config.as_object_mut().unwrap().extend(consumer.as_object().unwrap().clone());
        stage.api("CONSUMER.DURABLE.CREATE.WORK.c", json!({"stream_name": "WORK", "config": config})).await;
        Some(stage)
    }

    /// Asks JetStream's API.
    pub(crate) async fn api(&self, call: &str, body: Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = self.client.request(format!("$JS.API.{call}"), body.into()).await.unwrap();
        serde_json::from_slice(&reply.payload).unwrap()
    }

    pub(crate) async fn stream(&self, name: &str, subject: &str) {
        let config =
            json!({"name": name, "subjects": [subject], "storage": "file", "num_replicas": 1, "retention": "limits"});
        let made = self.api(&format!("STREAM.CREATE.{name}"), config).await;
        assert!(made.get("error").is_none(), "{made}");
    }

    /// Stores a message in the stream `WORK`.
    pub(crate) async fn store(&self, payload: &str) {
        let mut headers = HeaderMap::new();
        headers.insert("x-tenant", "acme");
        let request = async_nats::Request::new().headers(headers).payload(payload.to_owned().into());
        let stored = self.client.send_request("work.new", request).await.unwrap();
        let told: Value = serde_json::from_slice(&stored.payload).unwrap();
        assert_eq!(told["stream"], "WORK", "{told}");
    }

    /// The upstreams, and the trigger `work` of the consumer with these settings.
    pub(crate) fn yaml(&self, settings: &str) -> String {
        let (functions, server) = (self.functions.address, self.server.url());
        format!(
            "upstreams:\n  f: {{rest: {{url: 'http://{functions}'}}}}\n  n: {{nats: {{servers: '{server}'}}, timeout: 5s}}\n\
             triggers:\n  work: {{nats: {{servers: '{server}', stream: WORK, consumer: c}}, to: f, {settings}}}\n"
        )
    }

    pub(crate) async fn gateway(&self, settings: &str) -> Gateway {
        Gateway::start(&self.yaml(settings), "30s").await
    }

    /// How many messages of the consumer are not acknowledged: delivered or not.
    pub(crate) async fn unacknowledged(&self) -> (u64, u64) {
        let info = self.api("CONSUMER.INFO.WORK.c", Value::Null).await;
        let number = |name: &str| info[name].as_u64().unwrap_or_else(|| panic!("{info}"));
        (number("num_ack_pending"), number("num_pending"))
    }

    /// Waits until the consumer has no message that is not acknowledged.
    pub(crate) async fn all_acknowledged(&self) {
        let done = until(LIMIT, async || self.unacknowledged().await == (0, 0)).await;
        assert!(done, "{:?} of {:?}", self.unacknowledged().await, self.functions.calls());
    }

    /// The last message of a subject in a stream: its headers and its payload.
    pub(crate) async fn last(&self, stream: &str, subject: &str) -> (String, String) {
        let told = self.api(&format!("STREAM.MSG.GET.{stream}"), json!({"last_by_subj": subject})).await;
        let decode = |name: &str| {
            use base64::{Engine, engine::general_purpose::STANDARD};
            String::from_utf8(
                STANDARD.decode(told["message"][name].as_str().unwrap_or_else(|| panic!("{told}"))).unwrap(),
            )
            .unwrap()
        };
        (decode("hdrs"), decode("data"))
    }
}
