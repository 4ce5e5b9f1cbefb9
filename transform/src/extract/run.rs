//! Taking the value of an extraction out of a message.

use std::{borrow::Cow, sync::Arc};

use http::header::COOKIE;
use jsonpath_rust::query::js_path_process;
use minijinja::{
    Value,
    value::{Serde, ValueKind},
};

use super::compile::{Extraction, Pattern, Source, Takes};
use crate::{
    engine,
    error::TransformError,
    query,
    scope::{self, Context, Scope},
};

/// Nothing to take, and why when it is not mere absence.
type Missing = Option<Cow<'static, str>>;

impl Extraction {
    /// The name and the value; none when there is no such value and none is required.
    ///
    /// A request must have a required one; an unreadable value counts as missing.
    pub(crate) fn run(&self, scope: &Scope) -> Result<Option<(Arc<str>, Value)>, TransformError> {
        let found = self.source.take(&scope.context);
        let value = match (found.and_then(|value| self.narrow(value)), &self.default) {
            (Ok(value), _) => value,
            (Err(_), Some(default)) => Value::from(Serde(default.render(scope)?)),
            (Err(reason), None) if self.required => return Err(self.missing(scope, reason)),
            (Err(_), None) => return Ok(None),
        };
        Ok(Some((Arc::clone(&self.name), value)))
    }

    fn narrow(&self, value: Value) -> Result<Value, Missing> {
        match &self.regex {
            Some(pattern) => pattern.take(&value).ok_or(None),
            None => Ok(value),
        }
    }

    fn missing(&self, scope: &Scope, reason: Missing) -> TransformError {
        let (name, source) = (&self.name, &self.source);
        let message = match (reason, &self.regex) {
            (Some(reason), _) => format!("the value `{name}` ({source}) is required: {reason}"),
            (None, Some(_)) => format!("the value `{name}` ({source}) is required, and is missing or of another form"),
            (None, None) => format!("the value `{name}` ({source}) is required"),
        };
        TransformError::new(scope.side(), self.at, message)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header `{name}`"),
            Self::Query(name) => write!(f, "query parameter `{name}`"),
            Self::Param(name) => write!(f, "path parameter `{name}`"),
            Self::Cookie(name) => write!(f, "cookie `{name}`"),
            Self::Body { path, .. } => write!(f, "`{path}` of the body"),
            Self::Xml { path, .. } => write!(f, "`{path}` of the XML body"),
            Self::Form(name) => write!(f, "form field `{name}`"),
            Self::Path => f.write_str("the path"),
            Self::Text => f.write_str("the body's text"),
        }
    }
}

impl Source {
    fn take(&self, context: &Context) -> Result<Value, Missing> {
        let message = &context.message;
        match self {
            Self::Header(name) => {
                let value = message.headers.get(name).ok_or(None)?;
                Ok(Value::from(String::from_utf8_lossy(value.as_bytes())))
            }
            Self::Query(name) => {
                let value = query::first(message.uri.query().ok_or(None)?, name).ok_or(None)?;
                value.map(Value::from).map_err(|error| Some(error.to_string().into()))
            }
            Self::Param(name) => context.known.facts.params.get(name).map(Value::from).ok_or(None),
            Self::Cookie(name) => {
                let cookies = message.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
                let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
                pairs.find(|(key, _)| key == name).map(|(_, value)| Value::from(value)).ok_or(None)
            }
            Self::Body { query, .. } => {
                let json = scope::json(message).ok_or(None)?.map_err(|error| Some(error.to_string().into()))?;
                let nodes = js_path_process(query, &**json).map_err(|_| None)?;
                match &nodes[..] {
                    [] => Err(None),
                    [one] => Ok(Value::from(Serde(one.clone().val()))),
                    several => Ok(several.iter().map(|node| Value::from(Serde(node.clone().val()))).collect()),
                }
            }
            Self::Xml { elements, .. } => {
                let document = scope::xml(message).ok_or(None)?.map_err(|error| Some(error.to_string().into()))?;
                elements.find(&document).ok_or(None)
            }
            Self::Form(name) => {
                let form = scope::form(message).ok_or(None)?.map_err(|error| Some(error.to_string().into()))?;
                let value = form.get_attr(name).map_err(|_| None)?;
                let first =
                    if value.kind() == ValueKind::Seq { value.get_item_by_index(0).map_err(|_| None)? } else { value };
                match first.kind() {
                    ValueKind::Undefined => Err(None),
                    ValueKind::Invalid => Err(Some(engine::unreadable(&first).to_string().into())),
                    _ => Ok(first),
                }
            }
            Self::Path => Ok(Value::from(message.uri.path())),
            Self::Text => {
                let text = scope::raw_text(message).ok_or(None)?;
                text.map(Value::from).map_err(|error| Some(error.to_string().into()))
            }
        }
    }
}

impl Pattern {
    /// What the expression takes out of a scalar; none when it does not match, or the value is a list or a mapping.
    fn take(&self, value: &Value) -> Option<Value> {
        if matches!(value.kind(), ValueKind::Map | ValueKind::Seq) {
            return None;
        }
        let text = engine::text_of(value).ok()?;
        match &self.takes {
            Takes::Whole => self.regex.find(&text).map(|found| Value::from(found.as_str())),
            Takes::FirstGroup => Some(Value::from(self.regex.captures(&text)?.get(1)?.as_str())),
            Takes::Replaced(replacement) => {
                let mut replaced = String::new();
                self.regex.captures(&text)?.expand(replacement, &mut replaced);
                Some(Value::from(replaced))
            }
            Takes::Named(names) => {
                let captures = self.regex.captures(&text)?;
                let group = |name: &String| Some((name.clone(), Value::from(captures.name(name)?.as_str())));
                Some(Value::from_pairs(names.iter().filter_map(group)))
            }
        }
    }
}
