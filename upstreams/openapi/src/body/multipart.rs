//! JSON objects as `multipart/form-data` (RFC 7578).

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::Value;

use super::{Encoded, is_json};
use crate::{
    error::Unfit,
    kind::Kind,
    operation::{Encoding, Media},
    style,
};

/// A part of a form.
struct Part {
    filename: Option<String>,
    content_type: Option<String>,
    content: Vec<u8>,
}

/// Encodes an object. A list becomes a part for each item; what is nested is JSON; a file is text, or an object with
/// `filename`, `content_type` and `text` or `base64`.
pub(super) fn encode(media: &Media, value: &Value) -> Result<Encoded, Unfit> {
    let fields = value.as_object().ok_or(Unfit::NoForm)?;
    let boundary = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
    let mut bytes = Vec::new();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let encoding = media.encodings.iter().find(|(field, _)| field == name).map(|(_, encoding)| encoding);
        let kind = media.kind.field(name);
        let parts = match (value, kind) {
            (Value::Array(items), kind) if encoding.is_none_or(|encoding| encoding.content_type.is_none()) => {
                let kind = if let Kind::Array(kind) = kind { kind } else { &Kind::Any };
                items.iter().map(|item| part(name, item, kind, encoding)).collect::<Result<Vec<_>, _>>()?
            }
            (value, kind) => vec![part(name, value, kind, encoding)?],
        };
        for part in parts {
            write(&mut bytes, &boundary, name, &part);
        }
    }
    bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let content_type = format!("{}; boundary={boundary}", super::MULTIPART);
    Ok(Encoded { content_type, bytes: Bytes::from(bytes) })
}

fn part(name: &str, value: &Value, kind: &Kind, encoding: Option<&Encoding>) -> Result<Part, Unfit> {
    let given = encoding.and_then(|encoding| encoding.content_type.as_deref());
    // Of several types that a document allows, one is as good as another.
    let given = given.and_then(|types| types.split(',').next()).map(str::trim).filter(|one| !one.contains('*'));
    let content_type = given.map(ToOwned::to_owned);
    let is_json = content_type.as_deref().is_some_and(is_json);
    match (kind, value) {
        (Kind::Bytes, Value::Object(_)) => file(name, value, content_type),
        (Kind::Bytes, Value::String(text)) => Ok(Part {
            filename: Some(name.to_owned()),
            content_type: content_type.or_else(|| Some("application/octet-stream".to_owned())),
            content: text.clone().into_bytes(),
        }),
        (_, Value::Array(_) | Value::Object(_)) => Ok(Part {
            filename: None,
            content_type: content_type.or_else(|| Some("application/json".to_owned())),
            content: value.to_string().into_bytes(),
        }),
        (_, value) if is_json => Ok(Part { filename: None, content_type, content: value.to_string().into_bytes() }),
        (_, value) => Ok(Part { filename: None, content_type, content: style::text(value).into_owned().into_bytes() }),
    }
}

fn file(name: &str, value: &Value, content_type: Option<String>) -> Result<Part, Unfit> {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let no_file = || Unfit::NoFile { name: name.to_owned() };
    let content = match (text("text"), text("base64")) {
        (Some(text), None) => text.as_bytes().to_vec(),
        (None, Some(encoded)) => STANDARD.decode(encoded).map_err(|_| no_file())?,
        _ => return Err(no_file()),
    };
    let content_type = text("content_type").map(ToOwned::to_owned).or(content_type);
    if content_type.as_deref().is_some_and(|given| given.bytes().any(|byte| byte.is_ascii_control())) {
        return Err(no_file());
    }
    Ok(Part {
        filename: Some(text("filename").unwrap_or(name).to_owned()),
        content_type: content_type.or_else(|| Some("application/octet-stream".to_owned())),
        content,
    })
}

fn write(bytes: &mut Vec<u8>, boundary: &str, name: &str, part: &Part) {
    let mut head = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{}\"", escaped(name));
    if let Some(filename) = &part.filename {
        head.push_str(&format!("; filename=\"{}\"", escaped(filename)));
    }
    if let Some(content_type) = &part.content_type {
        head.push_str(&format!("\r\ncontent-type: {content_type}"));
    }
    head.push_str("\r\n\r\n");
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(&part.content);
    bytes.extend_from_slice(b"\r\n");
}

/// A name in quotes, as browsers escape it (HTML, section 4.10.21.8).
fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
