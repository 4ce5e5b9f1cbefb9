//! The settings of the source.

use callgate_core::{Invalid, Period, Secret, Settings, document::Text};
use callgate_http::TlsSettings;
use callgate_transform::OneOrMany;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    config::{Config, Credentials},
    declare::{Declare, QueueType},
    key,
};

/// The queue that is consumed, and the broker that has it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerConfig {
    /// `amqp://host:5672/vhost` or `amqps://...`, or a list of them: the first that answers is used. It may hold the user
    /// and the password.
    pub url: OneOrMany<Secret>,
    /// The queue.
    pub queue: String,
    /// What the queue is: a `quorum` queue counts how often it has delivered a message, so that a count outlives the
    /// gateway. Default: `classic`.
    #[serde(rename = "type", default)]
    pub kind: QueueType,
    /// How many messages the broker sends ahead, 1 to 65535. Those that wait for another try count too. Default: four
    /// times as many as are worked on at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefetch: Option<u16>,
    /// Exchanges, queues and bindings to make where they are missing. Default: nothing is made.
    #[serde(default, skip_serializing_if = "Declare::is_empty")]
    pub declare: Declare,
    /// Who the gateway is. Default: the user of the URL, else `guest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// TLS for `amqps`, where it needs more than the system's authorities. It is always verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
    /// The connection's name in the broker's monitoring. Default: `callgate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// How often the two sides show that they are there; a silent broker is given up after two of them. Default: 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Period>,
    /// How long one attempt to connect may take. Default: 5s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Period>,
}

impl TriggerConfig {
    /// The settings of the connection, which are those of the kind.
    pub(super) fn connection(&self) -> Config {
        Config {
            url: self.url.clone(),
            exchange: String::new(),
            declare: self.declare.clone(),
            channels: None,
            credentials: self.credentials.clone(),
            tls: self.tls.clone(),
            name: self.name.clone(),
            heartbeat: self.heartbeat,
            connect_timeout: self.connect_timeout,
            connection_per_worker: false,
        }
    }
}

impl Settings for TriggerConfig {
    fn check(&self) -> Vec<Invalid> {
        let mut found = self.connection().check();
        if self.queue.is_empty() || self.queue.len() > key::LONGEST {
            found.push(Invalid::new(format!("a queue's name has 1 to {} bytes", key::LONGEST)).at("queue"));
        }
        if self.kind == QueueType::Stream {
            let message = "a stream keeps what was worked on, so that each start would begin with all of it";
            found.push(Invalid::new(message).at("type").hint("bind a queue to the same exchange"));
        }
        let declared = self.declare.queues.get(&self.queue);
        if let Some(declared) = declared.filter(|declared| declared.kind != self.kind) {
            let message = format!("`declare` makes another queue of it: {:?}", declared.kind);
            found.push(Invalid::new(message.to_lowercase()).at("type").hint("say the same in both"));
        }
        if self.prefetch == Some(0) {
            let hint = "leave it out for four times as many as are worked on at once";
            found.push(Invalid::new("without a limit the whole queue would be sent").at("prefetch").hint(hint));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fields(more: &Value) -> Vec<String> {
        let mut value = json!({"url": "amqp://a", "queue": "work"});
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config: TriggerConfig = serde_json::from_value(value).unwrap();
        config.check().into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn a_queue_is_enough() {
        assert!(fields(&json!({})).is_empty());
        let declared = json!({"type": "quorum", "prefetch": 9, "declare": {"queues": {"work": {"type": "quorum"}}}});
        assert!(fields(&declared).is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_at_its_place() {
        assert_eq!(fields(&json!({"queue": ""})), ["queue"]);
        assert_eq!(fields(&json!({"type": "stream"})), ["type"]);
        assert_eq!(fields(&json!({"prefetch": 0})), ["prefetch"]);
        assert_eq!(fields(&json!({"declare": {"queues": {"work": {"type": "quorum"}}}})), ["type"]);
        assert_eq!(fields(&json!({"url": "http://a"})), ["url"]);
    }
}
