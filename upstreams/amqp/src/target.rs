//! The settings of a function.

use callgate_core::{Invalid, Period, Settings};
use callgate_message::{Answer, Headers, Options, Payload};
use callgate_transform::{CloudEventSettings, Located, Text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::function::Function;

/// A routing key, and what is done with it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// By what the exchange finds queues: `orders.created`. A template is confined by the text that it begins with, or by
    /// `allow`.
    pub routing_key: Located<Text>,
    /// Globs of the routing keys that a template may render.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Located<String>>,
    /// The exchange. Default: the upstream's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<String>,
    /// What is waited for.
    #[serde(default)]
    pub mode: Mode,
    /// Whether a message that no queue takes is an error (`unroutable`). Default: yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandatory: Option<bool>,
    /// Whether durable queues write the message to disk. Default: yes, and no with `mode: request`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent: Option<bool>,
    /// The message's priority, 0 to 255, for queues that have priorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// How long the message may wait in a queue. Default: for ever, and with `mode: request` as long as the client waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<Period>,
    /// A template of the message's id. Default: the request's `idempotency-key`, else the request's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Located<Text>>,
    /// A template of the message's correlation id; with `mode: request` it is the gateway's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<Located<Text>>,
    /// A template of the queue that is to get an answer; with `mode: request` it is the gateway's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Located<Text>>,
    /// A template of the message's type.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Located<Text>>,
    /// A template of the application's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<Located<Text>>,
    /// What a message holds.
    #[serde(default)]
    pub payload: Payload,
    /// With `payload: cloudevent`: whether the event is one JSON document. Default: no.
    #[serde(default)]
    pub structured: bool,
    /// With `payload: cloudevent`: templates of the event's attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloudevent: Option<CloudEventSettings>,
    /// The message's headers. The trace context always goes along, the content type as a property.
    #[serde(default, skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
    /// With `publish`: what the client is answered once the message is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Answer>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Until the broker has confirmed the message: 202.
    #[default]
    Publish,
    /// Until a consumer replies (direct reply-to): its reply is the response.
    Request,
}

impl Target {
    /// What is shared with other brokers.
    pub(crate) fn options(&self) -> Options<'_> {
        Options {
            payload: self.payload,
            structured: self.structured,
            cloudevent: self.cloudevent.as_ref(),
            headers: &self.headers,
            reply: self.reply.as_ref(),
        }
    }
}

impl Settings for Target {
    fn check(&self) -> Vec<Invalid> {
        let mut found = Function::compile(self, "").err().unwrap_or_default();
        if self.mode == Mode::Request {
            let ours = |field: &str| {
                let message = "with `mode: request` this is the gateway's own, as it waits for the reply";
                Invalid::new(message).at(field).hint("leave it out")
            };
            found.extend(self.correlation_id.as_ref().map(|_| ours("correlation_id")));
            found.extend(self.reply_to.as_ref().map(|_| ours("reply_to")));
            if self.reply.is_some() {
                let message = "with `mode: request` the reply is the consumer's";
                found.push(Invalid::new(message).at("reply").hint("shape it by a `response` step"));
            }
        }
        // RabbitMQ's limit: 32 bits of milliseconds.
        if self.expiration.is_some_and(|expiration| u32::try_from(expiration.get().as_millis()).is_err()) {
            found.push(Invalid::new("a message can't wait longer than 49 days").at("expiration"));
        }
        found.extend(self.exchange.as_deref().and_then(crate::key::exchange_flaw).map(|flaw| flaw.at("exchange")));
        found
    }
}

impl callgate_core::Target for Target {
    const NAME: Option<&'static str> = Some("routing_key");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: serde_json::Value) -> Vec<String> {
        let target: Target = serde_json::from_value(value).unwrap();
        target.check().into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn a_routing_key_is_enough() {
        assert!(fields(json!({"routing_key": "orders.created"})).is_empty());
        let all = json!({
            "routing_key": "orders.{{ params.v }}", "exchange": "events", "mandatory": false, "persistent": false,
            "priority": 9, "expiration": "1m", "message_id": "{{ request_id }}", "correlation_id": "c", "reply_to": "r",
            "type": "order", "app_id": "shop", "payload": "cloudevent", "cloudevent": {"type": "a"},
            "headers": {"forward": ["x-*"], "set": {"x-a": "b"}}, "reply": {"status": 200, "body": {"a": 1}},
        });
        assert!(fields(all).is_empty());
    }

    #[test]
    fn a_request_is_correlated_by_the_gateway() {
        let request = json!({
            "routing_key": "a", "mode": "request", "correlation_id": "c", "reply_to": "r", "reply": {"status": 200},
        });
        assert_eq!(fields(request), ["correlation_id", "reply_to", "reply"]);
    }

    #[test]
    fn templates_are_compiled_at_load() {
        let wrong = "{{ params.";
        assert_eq!(fields(json!({"routing_key": wrong})), ["routing_key"]);
        for field in ["message_id", "correlation_id", "reply_to", "type", "app_id"] {
            assert_eq!(fields(json!({"routing_key": "a", field: wrong})), [field]);
        }
        assert_eq!(fields(json!({"routing_key": "a", "message_id": "x".repeat(256)})), ["message_id"]);
        assert_eq!(fields(json!({"routing_key": "a", "headers": {"set": {"x": wrong}}})), ["headers.set.x"]);
        assert_eq!(fields(json!({"routing_key": "a", "exchange": "x".repeat(256)})), ["exchange"]);
        assert_eq!(fields(json!({"routing_key": "a", "expiration": "1200h"})), ["expiration"]);
    }
}
