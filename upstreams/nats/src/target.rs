//! The settings of a function.

use callgate_core::{Invalid, Period, Settings};
use callgate_message::{Answer, Headers, Options, Payload};
use callgate_transform::{CloudEventSettings, Located, Text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::function::Function;

/// A subject, and what is done with it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What messages are published to: `orders.created`. A template is confined by the text that it begins with, or by
    /// `allow`.
    pub subject: Located<Text>,
    /// Globs of the subjects that a template may render.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Located<String>>,
    /// What is waited for.
    #[serde(default)]
    pub mode: Mode,
    /// What a message holds.
    #[serde(default)]
    pub payload: Payload,
    /// With `payload: cloudevent`: the event as one JSON document, instead of attributes in headers.
    #[serde(default)]
    pub structured: bool,
    /// Templates for the attributes of events that the gateway makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloudevent: Option<CloudEventSettings>,
    /// The message's headers. Content type and coding and the trace context always go along.
    #[serde(default, skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
    /// With `jetstream`: a template of the id by which a stream drops duplicates. Default: the request's
    /// `idempotency-key`, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Located<Text>>,
    /// With `jetstream`: the only stream that may take the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_stream: Option<String>,
    /// With `request`: how many replies make up the response, at most. An empty reply ends it too. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_replies: Option<u32>,
    /// With `request`: how long after a reply the next one may take; then the response is complete. Without
    /// `max_replies` there may be any number of replies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Period>,
    /// With `publish` and `jetstream`: what the client is answered once the message is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Answer>,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Until the server has the message: 202. Whether anybody subscribes is not known.
    #[default]
    Publish,
    /// Until a responder replies: its reply is the response.
    Request,
    /// Until a stream has stored the message: 202 with `{stream, sequence, duplicate}`.
    Jetstream,
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
        let only = |field: &str, mode: &str| {
            Invalid::new(format!("only `mode: {mode}` has this")).at(field).hint("leave it out, or set the mode")
        };
        if self.mode != Mode::Jetstream {
            found.extend(self.message_id.as_ref().map(|_| only("message_id", "jetstream")));
            found.extend(self.expected_stream.as_ref().map(|_| only("expected_stream", "jetstream")));
        }
        if self.mode != Mode::Request {
            found.extend(self.max_replies.map(|_| only("max_replies", "request")));
            found.extend(self.idle_timeout.map(|_| only("idle_timeout", "request")));
        }
        if self.mode == Mode::Request && self.reply.is_some() {
            let message = "with `mode: request` the reply is the responder's";
            found.push(Invalid::new(message).at("reply").hint("shape it by a `response` step"));
        }
        if self.max_replies == Some(0) {
            let hint = "leave it out for one reply, or use `mode: publish` to wait for none";
            found.push(Invalid::new("a request has a reply").at("max_replies").hint(hint));
        }
        found
    }
}

impl callgate_core::Target for Target {
    const NAME: Option<&'static str> = Some("subject");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(value: serde_json::Value) -> Option<String> {
        let target: Target = serde_json::from_value(value).unwrap();
        target.check().into_iter().next().map(|invalid| invalid.field)
    }

    #[test]
    fn a_subject_is_enough() {
        assert_eq!(field(json!({"subject": "orders.created"})), None);
    }

    #[test]
    fn options_belong_to_their_modes() {
        for (option, value) in [("message_id", json!("x")), ("expected_stream", json!("S")), ("max_replies", json!(2))]
        {
            assert_eq!(field(json!({"subject": "a", option: value})).as_deref(), Some(option));
        }
        assert_eq!(field(json!({"subject": "a", "mode": "request", "idle_timeout": "1s"})), None);
        assert_eq!(field(json!({"subject": "a", "mode": "request", "max_replies": 0})).as_deref(), Some("max_replies"));
        assert_eq!(field(json!({"subject": "a", "mode": "request", "reply": {}})).as_deref(), Some("reply"));
        assert_eq!(field(json!({"subject": "a", "reply": {"status": 404}})).as_deref(), Some("reply.status"));
    }

    #[test]
    fn templates_are_compiled_at_load() {
        let wrong = "{{ params.";
        assert_eq!(field(json!({"subject": wrong})).as_deref(), Some("subject"));
        assert_eq!(field(json!({"subject": "a", "reply": {"body": {"x": wrong}}})).as_deref(), Some("reply.body"));
        assert_eq!(field(json!({"subject": "a", "headers": {"set": {"x": wrong}}})).as_deref(), Some("headers.set.x"));
        assert_eq!(
            field(json!({"subject": "a", "headers": {"set": {"a b": "x"}}})).as_deref(),
            Some("headers.set.a b")
        );
        let id = json!({"subject": "a", "mode": "jetstream", "message_id": wrong});
        assert_eq!(field(id).as_deref(), Some("message_id"));
    }
}
