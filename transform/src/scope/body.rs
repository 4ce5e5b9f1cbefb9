//! `body` and `text` as templates see them, parsed when first asked for.

use std::sync::Arc;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use minijinja::{Error, ErrorKind, Value};
use serde::Deserialize;

use crate::{
    message::Message,
    payload::{Content, not_json},
    query,
};

/// How a body is parsed. XML and multipart come beside these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    Json,
    Form,
    Text,
    /// Nothing is said: JSON when it is JSON, else text.
    Unknown,
}

impl Media {
    fn of(message: &Message) -> Self {
        let Some(value) = message.headers.get(CONTENT_TYPE) else { return Self::Unknown };
        let essence = value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        let suffix = essence.rsplit_once('+').is_some_and(|(_, suffix)| suffix.eq_ignore_ascii_case("json"));
        if is("application/json") || is("text/json") || suffix {
            Self::Json
        } else if is("application/x-www-form-urlencoded") {
            Self::Form
        } else {
            Self::Text
        }
    }
}

/// The parsed body; none when there is no body.
pub(super) fn body(message: &Message) -> Option<Value> {
    let content = read(message)?;
    let parsed = content.and_then(|content| content.value.get_or_init(|| parse(content, Media::of(message))).clone());
    Some(or_invalid(parsed))
}

/// The raw body as text; empty when there is no body.
pub(super) fn text(message: &Message) -> Option<Value> {
    match read(message) {
        None => message.payload.content().map(|_| Value::from("")),
        Some(content) => Some(or_invalid(content.and_then(Content::text))),
    }
}

/// The body as JSON, for JSONPath and for merging; none when there is no body.
pub(crate) fn json(message: &Message) -> Option<Result<&Arc<serde_json::Value>, Arc<str>>> {
    Some(read(message)?.and_then(Content::json))
}

/// The body as raw text, for extraction; none when there is no body.
pub(crate) fn raw_text(message: &Message) -> Option<Result<&str, Arc<str>>> {
    Some(
        read(message)?.and_then(|content| {
            std::str::from_utf8(content.bytes()).map_err(|_| Arc::from("the body is not UTF-8 text"))
        }),
    )
}

fn read(message: &Message) -> Option<Result<&Content, Arc<str>>> {
    let content = message.payload.content()?;
    if content.bytes().is_empty() {
        return None;
    }
    match message.headers.get(CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Some(Err("the body is content-encoded and cannot be read".into()))
        }
        _ => Some(Ok(content)),
    }
}

fn parse(content: &Content, media: Media) -> Result<Value, Arc<str>> {
    match media {
        Media::Json => parse_json(content.bytes()),
        Media::Form => parse_form(content),
        Media::Text => content.text(),
        Media::Unknown => parse_json(content.bytes()).or_else(|_| content.text()),
    }
}

fn parse_json(bytes: &[u8]) -> Result<Value, Arc<str>> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Value::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| not_json(&error))
}

/// A form as an object; a repeated name is its first value.
fn parse_form(content: &Content) -> Result<Value, Arc<str>> {
    let text = std::str::from_utf8(content.bytes()).map_err(|_| "the form is not UTF-8 text")?;
    let mut fields: Vec<(String, Value)> = Vec::new();
    for name in query::names(text) {
        let value = query::first(text, &name).unwrap_or(Ok("".into()));
        let value = Value::from(value.map_err(|error| Arc::from(error.to_string()))?);
        fields.push((name, value));
    }
    Ok(Value::from_pairs(fields))
}

fn or_invalid(value: Result<Value, Arc<str>>) -> Value {
    value.unwrap_or_else(|message| Value::from(Error::new(ErrorKind::InvalidOperation, message.to_string())))
}
