//! The settings of a function.

use std::borrow::Cow;

use callgate_aws_event::{ASYNC_LIMIT, Payload, Reply, SYNC_LIMIT, Shape};
use callgate_core::{Invalid, Settings};
use callgate_transform::{Located, Text, Tree};
use http::HeaderValue;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::{
    client_context,
    name::{FunctionName, NameError, Qualifier},
    templated::{Templated, is_template},
};

/// A Lambda function, and how it is invoked.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The function: its name, a partial or a full ARN, each with an optional `:qualifier`. A template is confined by
    /// the text that it begins with, or by `allow`.
    pub name: Name,
    /// Globs of the names that a template may render.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Located<String>>,
    /// A version or an alias. Default: what the name says, else `$LATEST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<Qualifier>,
    /// Whether the reply is waited for.
    #[serde(default)]
    pub invocation: InvocationType,
    /// The event that the function is sent.
    #[serde(default)]
    pub payload: Payload,
    /// How the function's reply is read. Default: `http` with the events of API Gateway and ALB, `raw` with `raw`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// Sends the reply on while the function writes it. Needs a function that streams its reply.
    #[serde(default)]
    pub stream: bool,
    /// A tree of templates that the function sees as its client context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<Tree>,
    /// Asks for the last 4 KB of the function's log and writes them to the gateway's own.
    #[serde(default)]
    pub log_tail: bool,
}

/// The name of a target's function: fixed, or a template over the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Located<Text>", into = "String")]
pub enum Name {
    /// The same function for every request.
    Fixed(FunctionName),
    /// A template's text; what references gave of it is never syntax.
    Template(Located<Text>),
}

impl Name {
    /// The name, where it depends on no request.
    pub(crate) fn fixed(&self) -> Option<&FunctionName> {
        match self {
            Self::Fixed(name) => Some(name),
            Self::Template(_) => None,
        }
    }
}

impl TryFrom<Located<Text>> for Name {
    type Error = NameError;

    fn try_from(text: Located<Text>) -> Result<Self, NameError> {
        let plain = text.value.as_str();
        if is_template(plain) { Ok(Self::Template(text)) } else { plain.parse().map(Self::Fixed) }
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        match name {
            Name::Fixed(name) => name.into(),
            Name::Template(text) => text.value.as_str().to_owned(),
        }
    }
}

impl JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        FunctionName::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        FunctionName::json_schema(generator)
    }
}

/// The ways of Lambda to invoke a function.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvocationType {
    /// The function's reply is the response.
    #[default]
    RequestResponse,
    /// Lambda queues the event: 202 with `{"request_id": ...}` as soon as it has it.
    Event,
    /// Lambda only checks whether the gateway may invoke the function: 204.
    DryRun,
}

impl InvocationType {
    /// The value of `x-amz-invocation-type`; the usual type is not sent.
    pub(crate) fn header(self) -> Option<HeaderValue> {
        match self {
            Self::RequestResponse => None,
            Self::Event => Some(HeaderValue::from_static("Event")),
            Self::DryRun => Some(HeaderValue::from_static("DryRun")),
        }
    }

    /// The most bytes of an event that Lambda takes.
    pub(crate) fn limit(self) -> usize {
        match self {
            Self::RequestResponse | Self::DryRun => SYNC_LIMIT,
            Self::Event => ASYNC_LIMIT,
        }
    }
}

impl Target {
    /// The name under which discovery lists the function; none where the function is another account's, or depends on the
    /// request.
    pub(crate) fn listed_name(&self) -> Option<String> {
        let name = self.name.fixed().filter(|name| name.account().is_none())?;
        let qualifier = name.qualifier().or(self.qualifier.as_ref()).filter(|qualifier| qualifier.is_alias());
        Some(match qualifier {
            Some(alias) => format!("{}:{}", name.bare(), alias.as_str()),
            None => name.bare().to_owned(),
        })
    }

    /// Event and reply together.
    pub(crate) fn shape(&self) -> Shape {
        Shape::new(self.payload, self.reply)
    }
}

impl Settings for Target {
    fn check(&self) -> Vec<Invalid> {
        let mut found = Vec::new();
        match &self.name {
            Name::Template(source) => found.extend(Templated::compile(source, &self.allow).err()),
            Name::Fixed(_) if !self.allow.is_empty() => {
                let hint = "leave `allow` out";
                found.push(
                    Invalid::new("the name is no template, so there is nothing to confine").at("allow").hint(hint),
                );
            }
            Name::Fixed(_) => {}
        }
        if let Some(tree) = &self.client_context {
            found.extend(client_context::compile(tree).err());
        }
        if let (Some(inside), Some(beside)) = (self.name.fixed().and_then(FunctionName::qualifier), &self.qualifier)
            && inside != beside
        {
            let message =
                format!("two qualifiers: `{}` in the name and `{}` beside it", inside.as_str(), beside.as_str());
            found.push(Invalid::new(message).at("qualifier").hint("keep one of them"));
        }
        let waits = self.invocation == InvocationType::RequestResponse;
        if !waits && self.reply.is_some() {
            let message = "this invocation brings no reply of the function";
            found.push(Invalid::new(message).at("reply").hint("leave `reply` out, or use `request_response`"));
        }
        if !waits && self.stream {
            let message = "this invocation brings no reply of the function to be streamed";
            found.push(Invalid::new(message).at("stream").hint("leave `stream` out, or use `request_response`"));
        }
        if !waits && self.log_tail {
            let message = "Lambda gives the log of `request_response` invocations only";
            found.push(Invalid::new(message).at("log_tail").hint("leave `log_tail` out"));
        }
        found
    }
}

impl callgate_core::Target for Target {
    const NAME: Option<&'static str> = Some("name");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn target(value: serde_json::Value) -> Target {
        serde_json::from_value(value).unwrap()
    }

    fn field(value: serde_json::Value) -> Option<String> {
        target(value).check().into_iter().next().map(|invalid| invalid.field)
    }

    #[test]
    fn a_name_is_enough() {
        let target = target(json!({"name": "create-order"}));
        assert!(target.check().is_empty());
        assert_eq!(target.invocation, InvocationType::RequestResponse);
        assert_eq!(target.shape(), Shape::default());
    }

    #[test]
    fn options_that_exclude_each_other_are_said_at_their_place() {
        assert_eq!(field(json!({"name": "f:a", "qualifier": "b"})).as_deref(), Some("qualifier"));
        assert_eq!(field(json!({"name": "f:a", "qualifier": "a"})), None);
        assert_eq!(field(json!({"name": "f", "allow": ["*"]})).as_deref(), Some("allow"));
        assert_eq!(field(json!({"name": "{{ params.x }}"})).as_deref(), Some("name"));
        assert_eq!(field(json!({"name": "{{ params.x }}", "allow": ["a-*"]})), None);
        assert_eq!(field(json!({"name": "f", "client_context": {"a": "{{ oops("}})).as_deref(), Some("client_context"));
        assert_eq!(field(json!({"name": "f", "invocation": "event", "reply": "http"})).as_deref(), Some("reply"));
        assert_eq!(field(json!({"name": "f", "invocation": "dry_run", "stream": true})).as_deref(), Some("stream"));
        assert_eq!(field(json!({"name": "f", "invocation": "dry_run", "log_tail": true})).as_deref(), Some("log_tail"));
    }

    #[test]
    fn a_wrong_name_says_the_forms() {
        let error = serde_json::from_value::<Target>(json!({"name": "a/b"})).unwrap_err().to_string();
        assert!(error.contains("letters, digits, `-`, `_` and `.`"), "{error}");
    }

    #[test]
    fn a_function_is_listed_by_its_name_or_its_alias() {
        let listed = |value: serde_json::Value| target(value).listed_name();
        assert_eq!(listed(json!({"name": "f"})).as_deref(), Some("f"));
        assert_eq!(listed(json!({"name": "f:live"})).as_deref(), Some("f:live"));
        assert_eq!(listed(json!({"name": "f", "qualifier": "live"})).as_deref(), Some("f:live"));
        for version in ["7", "$LATEST"] {
            assert_eq!(listed(json!({"name": "f", "qualifier": version})).as_deref(), Some("f"));
        }
        assert_eq!(listed(json!({"name": "123456789012:function:f"})), None);
        assert_eq!(listed(json!({"name": "f-{{ params.x }}"})), None);
    }

    #[test]
    fn limits_are_those_of_the_invocation() {
        assert_eq!(InvocationType::RequestResponse.limit(), 6 * 1024 * 1024);
        assert_eq!(InvocationType::Event.limit(), 1024 * 1024);
    }
}
