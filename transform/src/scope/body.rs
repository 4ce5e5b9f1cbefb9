//! `body` and `text` as templates see them, parsed when first asked for.

use std::{borrow::Cow, sync::Arc};

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use minijinja::{Error, ErrorKind, Value};
use serde::Deserialize;

use crate::{
    coding,
    message::Message,
    parse::{boundary, parse_form, parse_multipart},
    payload::{Content, not_json},
};

/// How a body is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    Json,
    Xml,
    Form,
    Multipart,
    Text,
    /// Nothing is said: JSON when it is JSON, else text.
    Unknown,
}

impl Media {
    fn of(message: &Message) -> Self {
        let essence = content_type(message).split(';').next().unwrap_or("").trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        let suffixed = |name| essence.rsplit_once('+').is_some_and(|(_, suffix)| suffix.eq_ignore_ascii_case(name));
        if !message.headers.contains_key(CONTENT_TYPE) {
            Self::Unknown
        } else if is("application/json") || is("text/json") || suffixed("json") {
            Self::Json
        } else if is("application/x-www-form-urlencoded") {
            Self::Form
        } else if is("application/xml") || is("text/xml") || suffixed("xml") {
            Self::Xml
        } else if is("multipart/form-data") {
            Self::Multipart
        } else {
            Self::Text
        }
    }
}

fn content_type(message: &Message) -> &str {
    message.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// The parsed body; none when there is no body.
pub(super) fn body(message: &Message) -> Option<Value> {
    let content = read(message)?;
    let parsed = content.and_then(|content| content.value.get_or_init(|| parse(content, message)).clone());
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

/// The body as XML, for element paths; none when there is no body.
pub(crate) fn xml(message: &Message) -> Option<Result<Value, Arc<str>>> {
    Some(read(message)?.and_then(Content::xml))
}

/// The fields of a form, for extraction; none when there is no body.
pub(crate) fn form(message: &Message) -> Option<Result<Value, Arc<str>>> {
    let content = read(message)?;
    Some(content.and_then(|content| match Media::of(message) {
        Media::Form | Media::Multipart => content.value.get_or_init(|| parse(content, message)).clone(),
        _ => Err("the body is not a form".into()),
    }))
}

/// The body as it is read: without its content codings.
fn read(message: &Message) -> Option<Result<&Content, Arc<str>>> {
    let content = message.payload.content()?;
    if content.bytes().is_empty() {
        return None;
    }
    let Some(first) = message.headers.get(CONTENT_ENCODING) else { return Some(Ok(content)) };
    let mut codings = Cow::Borrowed(first.to_str().unwrap_or("unknown"));
    for more in message.headers.get_all(CONTENT_ENCODING).iter().skip(1) {
        codings = format!("{codings},{}", more.to_str().unwrap_or("unknown")).into();
    }
    if coding::is_identity(&codings) {
        return Some(Ok(content));
    }
    Some(content.decoded(&codings))
}

fn parse(content: &Content, message: &Message) -> Result<Value, Arc<str>> {
    match Media::of(message) {
        Media::Json => parse_json(content.bytes()),
        Media::Xml => content.xml(),
        Media::Form => parse_form(content.bytes()),
        Media::Multipart => {
            let boundary = boundary(content_type(message));
            parse_multipart(content.bytes(), boundary.ok_or("the multipart form's content type has no boundary")?)
        }
        Media::Text => content.text(),
        Media::Unknown => parse_json(content.bytes()).or_else(|_| content.text()),
    }
}

fn parse_json(bytes: &[u8]) -> Result<Value, Arc<str>> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Value::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| not_json(&error))
}

fn or_invalid(value: Result<Value, Arc<str>>) -> Value {
    value.unwrap_or_else(|message| Value::from(Error::new(ErrorKind::InvalidOperation, message.to_string())))
}
