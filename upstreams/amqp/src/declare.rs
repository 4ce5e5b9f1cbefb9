//! What the gateway makes at the broker before it publishes, where the document asks for it.

use std::collections::BTreeMap;

use callgate_core::Invalid;
use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::key;

/// Exchanges, queues and bindings that are made where they are missing. What is there already has to be the same.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Declare {
    /// Exchanges by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exchanges: BTreeMap<String, Exchange>,
    /// Queues by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub queues: BTreeMap<String, Queue>,
}

/// An exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Exchange {
    /// `direct`, `fanout`, `topic`, `headers`, or a type that a plugin brings. Default: `topic`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it outlives a restart of the broker. Default: yes.
    pub durable: bool,
    /// Whether it goes with its last binding. Default: no.
    pub auto_delete: bool,
    /// Further arguments, as the broker knows them: text, whole numbers, booleans.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, Value>,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// Its type. Default: `classic`.
    #[serde(rename = "type")]
    pub kind: QueueType,
    /// Whether it outlives a restart of the broker. Default: yes.
    pub durable: bool,
    /// Whether it goes with its last consumer. Default: no.
    pub auto_delete: bool,
    /// Further arguments, as the broker knows them: text, whole numbers, booleans.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, Value>,
    /// Which messages of which exchange it takes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<Binding>,
}

/// The type of a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueueType {
    /// On one node.
    #[default]
    Classic,
    /// Replicated, and counts how often a message was delivered.
    Quorum,
    /// A log that is read again and again.
    Stream,
}

/// A binding of a queue to an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The exchange.
    pub exchange: String,
    /// The routing keys that it takes; a topic exchange knows `*` (one word) and `#` (any number). Default: empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub routing_key: String,
}

impl Default for Exchange {
    fn default() -> Self {
        Self { kind: "topic".to_owned(), durable: true, auto_delete: false, arguments: BTreeMap::new() }
    }
}

impl Default for Queue {
    fn default() -> Self {
        let (arguments, bindings) = (BTreeMap::new(), Vec::new());
        Self { kind: QueueType::Classic, durable: true, auto_delete: false, arguments, bindings }
    }
}

impl Declare {
    /// Whether there is nothing to make.
    pub(crate) fn is_empty(&self) -> bool {
        self.exchanges.is_empty() && self.queues.is_empty()
    }

    /// What is wrong in it.
    pub(crate) fn check(&self) -> Vec<Invalid> {
        let mut found = Vec::new();
        let mut named = |field: String, name: &str| {
            if name.is_empty() || name.len() > key::LONGEST {
                let message = format!("a name has 1 to {} bytes", key::LONGEST);
                found.push(Invalid::new(message).at(field));
            }
        };
        for (name, exchange) in &self.exchanges {
            named(format!("declare.exchanges.{name}"), name);
            named(format!("declare.exchanges.{name}.type"), &exchange.kind);
        }
        for (name, queue) in &self.queues {
            named(format!("declare.queues.{name}"), name);
            for (at, binding) in queue.bindings.iter().enumerate() {
                named(format!("declare.queues.{name}.bindings[{at}].exchange"), &binding.exchange);
                if binding.routing_key.len() > key::LONGEST {
                    named(format!("declare.queues.{name}.bindings[{at}].routing_key"), &binding.routing_key);
                }
            }
        }
        for (name, exchange) in &self.exchanges {
            found.extend(table(&exchange.arguments).err().map(|flaw| flaw.at(format!("declare.exchanges.{name}"))));
        }
        for (name, queue) in &self.queues {
            let at = format!("declare.queues.{name}");
            found.extend(queue.table().err().map(|flaw| flaw.at(&at)));
            if queue.kind != QueueType::Classic && !queue.durable {
                let message = "only a classic queue can go with the broker's restart";
                found.push(Invalid::new(message).at(format!("{at}.durable")).hint("leave it out"));
            }
        }
        found
    }

    /// Makes everything.
    pub(crate) async fn make(&self, channel: &Channel) -> lapin::Result<()> {
        for (name, exchange) in &self.exchanges {
            let options = ExchangeDeclareOptions {
                durable: exchange.durable,
                auto_delete: exchange.auto_delete,
                ..ExchangeDeclareOptions::default()
            };
            let arguments = table(&exchange.arguments).unwrap_or_default();
            channel.exchange_declare(key::short(name), exchange.kind(), options, arguments).await?;
        }
        for (name, queue) in &self.queues {
            let options = QueueDeclareOptions {
                durable: queue.durable,
                auto_delete: queue.auto_delete,
                ..QueueDeclareOptions::default()
            };
            channel.queue_declare(key::short(name), options, queue.table().unwrap_or_default()).await?;
            for Binding { exchange, routing_key } in &queue.bindings {
                let (exchange, routing_key) = (key::short(exchange), key::short(routing_key));
                let options = QueueBindOptions::default();
                channel.queue_bind(key::short(name), exchange, routing_key, options, FieldTable::default()).await?;
            }
        }
        Ok(())
    }
}

impl Exchange {
    fn kind(&self) -> ExchangeKind {
        match self.kind.as_str() {
            "direct" => ExchangeKind::Direct,
            "fanout" => ExchangeKind::Fanout,
            "topic" => ExchangeKind::Topic,
            "headers" => ExchangeKind::Headers,
            other => ExchangeKind::Custom(other.to_owned()),
        }
    }
}

impl Queue {
    fn table(&self) -> Result<FieldTable, Invalid> {
        let mut table = table(&self.arguments)?;
        let kind = match self.kind {
            QueueType::Classic => return Ok(table),
            QueueType::Quorum => "quorum",
            QueueType::Stream => "stream",
        };
        table.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
        Ok(table)
    }
}

/// Arguments as the protocol has them.
fn table(arguments: &BTreeMap<String, Value>) -> Result<FieldTable, Invalid> {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        let wrong = |message: String| Invalid::new(message).hint("text, a whole number, `true` or `false`");
        let value = match value {
            Value::String(text) => AMQPValue::LongString(text.as_str().into()),
            Value::Bool(yes) => AMQPValue::Boolean(*yes),
            Value::Number(number) => match number.as_i64() {
                Some(number) => AMQPValue::LongLongInt(number),
                None => return Err(wrong(format!("the argument `{name}` is no whole number"))),
            },
            Value::Null | Value::Array(_) | Value::Object(_) => {
                return Err(wrong(format!("the argument `{name}` is no single value")));
            }
        };
        let name = ShortString::try_new(name.as_str())
            .map_err(|_| wrong(format!("an argument's name has at most {} bytes", key::LONGEST)))?;
        table.insert(name, value);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn declare(value: Value) -> Declare {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_exchange_and_a_queue_need_no_options() {
        let declare = declare(json!({
            "exchanges": {"events": {}},
            "queues": {"all": {"type": "quorum", "bindings": [{"exchange": "events", "routing_key": "#"}],
                "arguments": {"x-max-length": 10, "x-overflow": "reject-publish", "x-single-active-consumer": true}}},
        }));
        assert!(declare.check().is_empty(), "{:?}", declare.check());
        assert_eq!(declare.exchanges["events"].kind(), ExchangeKind::Topic);
        assert_eq!(declare.queues["all"].table().unwrap().inner().len(), 4);
    }

    #[test]
    fn what_is_wrong_is_told_at_its_place() {
        let fields = |value| declare(value).check().into_iter().map(|flaw| flaw.field).collect::<Vec<_>>();
        assert_eq!(fields(json!({"exchanges": {"": {}}})), ["declare.exchanges."]);
        assert_eq!(fields(json!({"queues": {"q": {"arguments": {"a": [1]}}}})), ["declare.queues.q"]);
        assert_eq!(fields(json!({"queues": {"q": {"arguments": {"a": 1.5}}}})), ["declare.queues.q"]);
        assert_eq!(
            fields(json!({"queues": {"q": {"type": "quorum", "durable": false}}})),
            ["declare.queues.q.durable"]
        );
        let nowhere = json!({"queues": {"q": {"bindings": [{"exchange": ""}]}}});
        assert_eq!(fields(nowhere), ["declare.queues.q.bindings[0].exchange"]);
    }
}
