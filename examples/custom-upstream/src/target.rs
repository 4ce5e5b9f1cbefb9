//! The settings of a function.

use std::num::NonZeroU64;

use callgate_core::{Invalid, Settings};
use callgate_message::{Answer, Headers, Options, Payload};
use callgate_transform::{CloudEventSettings, Located, Text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::function::Function;

/// A stream, and what is appended to it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The stream's name: `orders`. A template is confined by the text that it begins with, or by `allow`.
    pub stream: Located<Text>,
    /// Globs of the names that a template may render.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Located<String>>,
    /// What is waited for.
    #[serde(default)]
    pub mode: Mode,
    /// Whether a stream that is not there is made. Without it the call fails: nobody would read the message.
    #[serde(default)]
    pub create: bool,
    /// About how many entries the stream keeps; older ones go. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<NonZeroU64>,
    /// What a message holds.
    #[serde(default)]
    pub payload: Payload,
    /// With `payload: cloudevent`: the event as one JSON document, instead of attributes in fields.
    #[serde(default)]
    pub structured: bool,
    /// Templates for the attributes of events that the gateway makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloudevent: Option<CloudEventSettings>,
    /// The message's headers, which are fields of its entry. Content type and coding and the trace context always go
    /// along.
    #[serde(default, skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
    /// With `append`: what the client is answered once the message is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Answer>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Until the server has the entry: 202 with `{id, entry}`.
    #[default]
    Append,
    /// Until a worker appends a reply to the stream that the entry names: the reply is the response.
    Request,
}

impl Target {
    /// What it says of its messages.
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
        let mut found = Function::compile(self).err().unwrap_or_default();
        if self.mode == Mode::Request && self.reply.is_some() {
            let message = "with `mode: request` the reply is the worker's";
            found.push(Invalid::new(message).at("reply").hint("shape it by a `response` step"));
        }
        found
    }
}

impl callgate_core::Target for Target {
    const NAME: Option<&'static str> = Some("stream");
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fields(target: Value) -> Vec<String> {
        let target: Target = serde_json::from_value(target).unwrap();
        target.check().into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn a_stream_is_enough() {
        assert_eq!(fields(json!({"stream": "orders"})), [""; 0]);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_its_place() {
        let wrong = json!({"stream": "a b", "mode": "request", "reply": {"status": 404}});
        assert_eq!(fields(wrong), ["stream", "reply.status", "reply"]);
    }
}
