//! Events as one JSON document each.
//!
//! JSON data is put in and taken out as the text that it is: a number that JavaScript could not hold stays what it was.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::HeaderValue;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{CloudEvent, attributes::Attributes, refused};
use crate::error::TransformError;

/// How data stands in a document.
enum Data<'a> {
    Json(&'a str),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> Data<'a> {
    fn of(content_type: Option<&str>, bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if is_json(content_type) && serde_json::from_str::<IgnoredAny>(text).is_ok() => Self::Json(text),
            Ok(text) if is_text(content_type) => Self::Text(text),
            _ => Self::Bytes(bytes),
        }
    }
}

/// The document of an event.
pub(super) fn write(event: &CloudEvent) -> Vec<u8> {
    let content_type = event.content_type.as_ref().and_then(|value| value.to_str().ok());
    let attributes = event.attributes.iter();
    let mut members: Vec<String> = attributes.map(|(name, value)| member(name, value)).collect();
    members.extend(content_type.map(|value| member("datacontenttype", value)));
    if let Some(data) = event.data.as_ref().filter(|data| !data.is_empty()) {
        members.push(match Data::of(content_type, data) {
            Data::Json(text) => format!("\"data\":{text}"),
            Data::Text(text) => member("data", text),
            Data::Bytes(bytes) => member("data_base64", &STANDARD.encode(bytes)),
        });
    }
    format!("{{{}}}", members.join(",")).into_bytes()
}

fn member(name: &str, value: &str) -> String {
    format!("{}:{}", serde_json::Value::from(name), serde_json::Value::from(value))
}

/// The event of a document.
pub(super) fn read(document: &[u8]) -> Result<CloudEvent, TransformError> {
    let malformed = |error: serde_json::Error| {
        refused(format!("the event is no JSON object (line {}, column {})", error.line(), error.column()))
    };
    let mut members: BTreeMap<String, &RawValue> = serde_json::from_slice(document).map_err(malformed)?;
    let (json, base64) = (members.remove("data"), members.remove("data_base64"));
    let content_type = members.remove("datacontenttype").map(|raw| text("datacontenttype", raw)).transpose()?.flatten();
    if !members.contains_key("specversion") {
        return Err(refused("the event's attribute `specversion` is missing or empty"));
    }
    let mut attributes = Attributes::new();
    for (name, raw) in members {
        if let Some(value) = text(&name, raw)? {
            attributes.add(name, value)?;
        }
    }
    let mut content_type = content_type;
    let data = match (json, base64) {
        (Some(_), Some(_)) => return Err(refused("the event has both `data` and `data_base64`")),
        (None, None) => Bytes::new(),
        (None, Some(base64)) => {
            let text: String =
                serde_json::from_str(base64.get()).map_err(|_| refused("the event's `data_base64` is no text"))?;
            STANDARD.decode(text).map_err(|_| refused("the event's `data_base64` is no base64"))?.into()
        }
        // Text that is not JSON stands in the document as a string; every other JSON value is JSON.
        (Some(json), None) => match serde_json::from_str::<String>(json.get()) {
            Ok(text) if content_type.is_some() && !is_json(content_type.as_deref()) => text.into(),
            _ => {
                content_type.get_or_insert_with(|| "application/json".to_owned());
                json.get().to_owned().into()
            }
        },
    };
    let content_type = content_type.map(HeaderValue::try_from).transpose();
    let content_type = content_type.map_err(|_| refused("the event's `datacontenttype` fits into no header"))?;
    Ok(CloudEvent { attributes: attributes.complete()?, content_type, data: Some(data) })
}

/// The value of an attribute: text, a number or a boolean; null is none.
fn text(name: &str, raw: &RawValue) -> Result<Option<String>, TransformError> {
    match raw.get().as_bytes().first() {
        Some(b'"') => match serde_json::from_str(raw.get()) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(refused(format!("the event's attribute `{name}` is malformed"))),
        },
        Some(b'n') => Ok(None),
        Some(b'{' | b'[') | None => {
            Err(refused(format!("the event's attribute `{name}` is neither text, number nor boolean")))
        }
        Some(_) => Ok(Some(raw.get().to_owned())),
    }
}

/// Without its parameters, in lower case.
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(content_type: Option<&str>) -> bool {
    let Some(media_type) = content_type.map(media_type) else { return false };
    media_type.ends_with("/json") || media_type.ends_with("+json")
}

fn is_text(content_type: Option<&str>) -> bool {
    let Some(media_type) = content_type.map(media_type) else { return false };
    media_type.starts_with("text/")
        || media_type.ends_with("/xml")
        || media_type.ends_with("+xml")
        || ["application/javascript", "application/x-www-form-urlencoded"].contains(&media_type.as_str())
}
