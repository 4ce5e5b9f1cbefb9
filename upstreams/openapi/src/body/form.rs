//! JSON objects as `application/x-www-form-urlencoded`.

use serde_json::Value;

use crate::{
    error::Unfit,
    operation::{Encoding, Media},
    style::{self, Escape, Style},
};

/// Encodes an object. A field whose encoding has a `style` or `explode` is written by it, any other as text, as
/// repeated fields for a list, or as JSON for what is nested.
pub(super) fn encode(media: &Media, value: &Value) -> Result<String, Unfit> {
    let fields = value.as_object().ok_or(Unfit::NoForm)?;
    let mut written = String::new();
    for (name, value) in fields {
        let encoding = media.encodings.iter().find(|(field, _)| field == name).map(|(_, encoding)| encoding);
        for (name, value) in pairs(name, value, encoding) {
            if !written.is_empty() {
                written.push('&');
            }
            written.push_str(&name);
            written.push('=');
            written.push_str(&value);
        }
    }
    Ok(written)
}

fn pairs(name: &str, value: &Value, encoding: Option<&Encoding>) -> Vec<(String, String)> {
    let none = Encoding::default();
    let encoding = encoding.unwrap_or(&none);
    let how = if encoding.allow_reserved { Escape::Reserved } else { Escape::Percent };
    if encoding.style.is_some() || encoding.explode.is_some() {
        let style = encoding.style.unwrap_or(Style::Form);
        let explode = encoding.explode.unwrap_or(matches!(style, Style::Form | Style::DeepObject));
        return style::pairs(style, explode, name, value, how);
    }
    let as_json = encoding.content_type.as_deref().is_some_and(super::is_json);
    let plain =
        |value: &Value| style::pairs(Style::Form, true, name, &Value::String(style::text(value).into_owned()), how);
    match value {
        Value::Null => Vec::new(),
        value if as_json => plain(&Value::String(value.to_string())),
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            items.iter().flat_map(plain).collect()
        }
        value => plain(value),
    }
}
