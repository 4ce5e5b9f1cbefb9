//! What a function says of its messages, as written.

use callgate_core::Invalid;
use callgate_transform::{CloudEventSettings, CloudEvents, Glob, Located, Named, Shape, Template, Text, Tree};
use http::{HeaderName, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    binding::Binding,
    form::{Content, Form},
};

/// What a message holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// The request's body.
    #[default]
    Raw,
    /// A CloudEvent made of the request. A CloudEvent of the client's own stays what it is.
    Cloudevent,
    /// The whole request as JSON: `{method, path, query, headers, body}`.
    Http,
}

/// The headers of a message.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Headers {
    /// Globs of the request's headers that are sent along: `x-*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forward: Vec<String>,
    /// Headers by template.
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub set: Named<Located<Text>>,
}

impl Headers {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.forward.is_empty() && self.set.is_empty()
    }
}

/// The answer to a client whose message was taken.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The status, 200 to 299. Default: 202.
    #[serde(default = "accepted")]
    pub status: u16,
    /// A tree of templates over the request, sent as JSON. Default: `{id}`, the request's id, and what the broker told
    /// beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Tree>,
}

const fn accepted() -> u16 {
    202
}

/// What a function says of its messages: the fields of a kind's target, by their names there.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// `payload`
    pub payload: Payload,
    /// `structured`: with [`Payload::Cloudevent`], one JSON document instead of attributes in headers.
    pub structured: bool,
    /// `cloudevent`: templates for the attributes of events that the gateway makes.
    pub cloudevent: Option<&'a CloudEventSettings>,
    /// `headers`
    pub headers: &'a Headers,
    /// `reply`
    pub reply: Option<&'a Answer>,
}

impl Options<'_> {
    /// Compiles them for a protocol.
    ///
    /// # Errors
    /// Everything that is wrong, each at its field.
    pub fn compile(&self, binding: &'static Binding) -> Result<Form, Vec<Invalid>> {
        let mut found = Vec::new();
        let content = self.content(&mut found);
        let forward = self.forward(binding, &mut found);
        let set = self.set(&mut found);
        let (status, answer) = self.answer(&mut found);
        if found.is_empty() { Ok(Form { binding, content, forward, set, status, answer }) } else { Err(found) }
    }

    fn content(&self, found: &mut Vec<Invalid>) -> Content {
        if self.payload != Payload::Cloudevent {
            let unused = |field: &str| {
                let hint = format!("add `payload: cloudevent`, or leave `{field}` out");
                Invalid::new("the message is no event").at(field).hint(hint)
            };
            found.extend(self.structured.then(|| unused("structured")));
            found.extend(self.cloudevent.map(|_| unused("cloudevent")));
        }
        match self.payload {
            Payload::Raw => Content::Raw,
            Payload::Http => Content::Http,
            Payload::Cloudevent => {
                let settings = self.cloudevent.cloned().unwrap_or_default();
                match CloudEvents::new(&settings, self.structured) {
                    Ok(events) => Content::Event { events: Box::new(events), structured: self.structured },
                    Err(flaws) => {
                        found.push(Invalid::from(flaws).at("cloudevent"));
                        Content::Raw
                    }
                }
            }
        }
    }

    fn forward(&self, binding: &Binding, found: &mut Vec<Invalid>) -> Vec<Glob> {
        let globs = self.headers.forward.iter().map(|glob| {
            let glob = glob.to_ascii_lowercase();
            let literal = glob.split(['*', '?']).next().unwrap_or_default();
            if binding.is_reserved(literal) {
                let message = format!("`{glob}` are headers of the protocol itself, which are not taken from clients");
                let hint = "leave it out, or set the header by `headers: {set: {...}}`";
                found.push(Invalid::new(message).at("headers.forward").hint(hint));
            }
            Glob::new(&glob)
        });
        globs.collect()
    }

    fn set(&self, found: &mut Vec<Invalid>) -> Vec<(Box<str>, Template)> {
        let mut set = Vec::new();
        for (name, value) in &self.headers.set.0 {
            let (name, field) = (name.value.as_str(), format!("headers.set.{}", name.value));
            if HeaderName::try_from(name).is_err() {
                let hint = "a name has letters, digits and `-`, `_`, `.` and the like, without spaces and colons";
                found.push(Invalid::new(format!("`{name}` is no header's name")).at(&field).hint(hint));
            }
            match Template::written(value) {
                Ok(template) => set.push((name.into(), template)),
                Err(flaw) => found.push(Invalid::from(flaw).at(field)),
            }
        }
        set
    }

    fn answer(&self, found: &mut Vec<Invalid>) -> (StatusCode, Option<Shape>) {
        let Some(answer) = self.reply else { return (StatusCode::ACCEPTED, None) };
        let status = StatusCode::from_u16(answer.status).ok().filter(StatusCode::is_success);
        if status.is_none() {
            let message = format!("{} is no status of success", answer.status);
            found.push(Invalid::new(message).at("reply.status").hint("a status from 200 to 299"));
        }
        let body =
            answer.body.as_ref().map(|tree| Shape::new(tree).map_err(|flaws| Invalid::from(flaws).at("reply.body")));
        let body = body.transpose().unwrap_or_else(|flaw| {
            found.push(flaw);
            None
        });
        (status.unwrap_or(StatusCode::ACCEPTED), body)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::form::tests::NATS;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Target {
        #[serde(default)]
        payload: Payload,
        #[serde(default)]
        structured: bool,
        cloudevent: Option<CloudEventSettings>,
        #[serde(default)]
        headers: Headers,
        reply: Option<Answer>,
    }

    fn fields(target: Value) -> Vec<String> {
        let Target { payload, structured, cloudevent, headers, reply } = serde_json::from_value(target).unwrap();
        let options =
            Options { payload, structured, cloudevent: cloudevent.as_ref(), headers: &headers, reply: reply.as_ref() };
        let found = options.compile(&NATS).err().unwrap_or_default();
        found.into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn nothing_needs_to_be_said() {
        assert!(fields(json!({})).is_empty());
        let all = json!({
            "payload": "cloudevent", "structured": true, "cloudevent": {"type": "a.{{ method }}"},
            "headers": {"forward": ["X-*"], "set": {"X-A": "{{ params.v }}"}},
            "reply": {"status": 200, "body": {"ok": true}},
        });
        assert!(fields(all).is_empty());
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_its_place() {
        let wrong = "{{ params.";
        let target = json!({
            "structured": true, "cloudevent": {},
            "headers": {"forward": ["nats-*", "Nats-Msg-Id", "n*"], "set": {"x": wrong, "a b": "x"}},
            "reply": {"status": 404, "body": {"x": wrong}},
        });
        let expected = [
            "structured",
            "cloudevent",
            "headers.forward",
            "headers.forward",
            "headers.set.x",
            "headers.set.a b",
            "reply.status",
            "reply.body",
        ];
        assert_eq!(fields(target), expected);
        assert_eq!(fields(json!({"payload": "cloudevent", "cloudevent": {"id": wrong}})), ["cloudevent"]);
    }
}
