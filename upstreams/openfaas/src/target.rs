//! The settings of a function.

use std::borrow::Cow;

use callgate_core::{Invalid, Settings};
use callgate_transform::{Confined, Located, Text};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::{
    callback::Callback,
    name::{FunctionName, NameError, is_part},
};

/// What has a meaning in a function's path: a value of the request must not bring it along.
const SPECIAL: &str = "./*%?#";

/// A function of OpenFaaS, and how it is called.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The function: `NAME`, or `NAME.NAMESPACE`. A template is confined by the text that it begins with, or by `allow`;
    /// its namespace is written out.
    pub name: Name,
    /// Globs of the names that a template may render.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Located<String>>,
    /// Whether the function's reply is waited for.
    #[serde(default)]
    pub mode: Mode,
    /// Where OpenFaaS sends the reply of an asynchronous call: a URL, of which all behind the host may be a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<Located<Text>>,
}

/// The name of a target's function: fixed, or a template over the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Located<Text>", into = "String")]
pub enum Name {
    /// The same function for every request.
    Fixed(FunctionName),
    /// A template's text.
    Template(Located<Text>),
}

/// Whether a call waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The function's reply is the response.
    #[default]
    Sync,
    /// OpenFaaS queues the call: 202 with `x-call-id` as soon as it has it.
    Async,
}

impl TryFrom<Located<Text>> for Name {
    type Error = NameError;

    fn try_from(text: Located<Text>) -> Result<Self, NameError> {
        let source = text.value.as_str();
        if is_template(source) { Ok(Self::Template(text)) } else { source.parse().map(Self::Fixed) }
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
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        FunctionName::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        FunctionName::json_schema(generator)
    }
}

/// Whether the text has the tags of a template.
pub(crate) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|tag| text.contains(tag))
}

impl Target {
    /// The namespace that the name says; a template's is the plain text behind its last tag.
    pub(crate) fn namespace(&self) -> Result<Option<&str>, Invalid> {
        let source = match &self.name {
            Name::Fixed(name) => return Ok(name.namespace()),
            Name::Template(source) => source.value.as_str(),
        };
        let (tags, tail) = source.rsplit_once('}').unwrap_or(("", source));
        let namespace = tail.split_once('.').map(|(_, namespace)| namespace);
        if has_plain_dot(tags) || !namespace.is_none_or(is_part) {
            return Err(Invalid::new("a template can't choose the namespace").at("name").hint(
                "write it out behind the template, `orders-{{ ... }}.staging`, or as the upstream's `namespace`",
            ));
        }
        Ok(namespace)
    }

    /// The confined template of the name.
    pub(crate) fn template(&self) -> Option<Result<Confined, Invalid>> {
        match &self.name {
            Name::Fixed(_) => None,
            Name::Template(source) => Some(confined(source, SPECIAL, &self.allow, "name")),
        }
    }

    /// The callback's URL.
    pub(crate) fn callback(&self) -> Option<Result<Callback, Invalid>> {
        self.callback_url.as_ref().map(Callback::compile)
    }
}

/// Whether a dot stands outside of the tags of a text that ends within, or with, a tag.
fn has_plain_dot(source: &str) -> bool {
    let mut rest = source;
    while let Some(start) = ["{{", "{%", "{#"].iter().filter_map(|tag| rest.find(tag)).min() {
        if rest[..start].contains('.') {
            return true;
        }
        let inside = &rest[start + 2..];
        let end = ["}}", "%}", "#}"].iter().filter_map(|tag| inside.find(tag)).min();
        // The last tag's end was taken off with its brace.
        let Some(end) = end else { return false };
        rest = &inside[end + 2..];
    }
    rest.contains('.')
}

/// Compiles a template of the named field: `special` is what no value may bring along.
pub(crate) fn confined(
    source: &Located<Text>,
    special: &str,
    allow: &[Located<String>],
    field: &str,
) -> Result<Confined, Invalid> {
    Confined::written(source, special, allow).map_err(|flaw| Invalid::from(flaw).at(field))
}

impl Settings for Target {
    fn check(&self) -> Vec<Invalid> {
        let mut found = Vec::new();
        found.extend(self.template().and_then(Result::err));
        found.extend(self.namespace().err());
        found.extend(self.callback().and_then(Result::err));
        if matches!(self.name, Name::Fixed(_)) && !self.allow.is_empty() {
            let message = "the name is no template, so there is nothing to confine";
            found.push(Invalid::new(message).at("allow").hint("leave `allow` out"));
        }
        if self.mode == Mode::Sync && self.callback_url.is_some() {
            let message = "only an asynchronous call has a callback";
            found.push(Invalid::new(message).at("callback_url").hint("add `mode: async`, or leave `callback_url` out"));
        }
        found
    }
}

impl callgate_core::Target for Target {
    const NAME: Option<&'static str> = Some("name");
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn target(value: Value) -> Target {
        serde_json::from_value(value).unwrap()
    }

    fn fields(value: Value) -> Vec<String> {
        target(value).check().into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn a_name_is_enough() {
        let figlet = target(json!({"name": "figlet"}));
        assert!(figlet.check().is_empty());
        assert_eq!((figlet.mode, figlet.namespace().unwrap()), (Mode::Sync, None));
        assert_eq!(target(json!({"name": "figlet.staging"})).namespace().unwrap(), Some("staging"));
    }

    #[test]
    fn a_template_is_confined_and_chooses_no_namespace() {
        assert_eq!(fields(json!({"name": "orders-{{ params.kind }}"})), [""; 0]);
        assert_eq!(fields(json!({"name": "{{ params.kind }}", "allow": ["orders-*"]})), [""; 0]);
        let staged = target(json!({"name": "o-{{ params.kind }}-x.staging"}));
        assert_eq!((staged.check(), staged.namespace().unwrap()), (Vec::new(), Some("staging")));
        assert_eq!(fields(json!({"name": "{{ params.kind }}"})), ["name"]);
        assert_eq!(fields(json!({"name": "orders.{{ params.space }}"})), ["name"]);
        assert_eq!(fields(json!({"name": "a-{{ params.a }}.b-{{ params.b }}"})), ["name"]);
        assert_eq!(fields(json!({"name": "a-{{ params.a }}.b.c"})), ["name"]);
        assert_eq!(fields(json!({"name": "figlet", "allow": ["*"]})), ["allow"]);
    }

    #[test]
    fn a_callback_belongs_to_an_asynchronous_call() {
        let callback = "https://jobs.example.com/done";
        assert_eq!(fields(json!({"name": "a", "mode": "async", "callback_url": callback})), [""; 0]);
        assert_eq!(fields(json!({"name": "a", "callback_url": callback})), ["callback_url"]);
        assert_eq!(fields(json!({"name": "a", "mode": "async", "callback_url": "/done"})), ["callback_url"]);
    }
}
