//! What an event says of itself.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::refused;
use crate::error::TransformError;

/// The version of the specification, the one there is.
const VERSION: &str = "1.0";

/// What every event has.
const REQUIRED: [&str; 3] = ["id", "source", "type"];

/// Names and values that the specification allows, `specversion` first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attributes(Vec<(Cow<'static, str>, String)>);

impl Attributes {
    pub(super) fn new() -> Self {
        Self(vec![(Cow::Borrowed("specversion"), VERSION.to_owned())])
    }

    /// Adds an attribute of a request's event; `specversion` is checked.
    pub(super) fn add(&mut self, name: impl Into<Cow<'static, str>>, value: String) -> Result<(), TransformError> {
        let name = name.into();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            return Err(refused("an attribute of the event has a name with other than lower-case letters and digits"));
        }
        if name == "specversion" {
            let right = value == VERSION;
            return if right { Ok(()) } else { Err(refused("the event's `specversion` is not 1.0")) };
        }
        if value.chars().any(char::is_control) {
            return Err(refused(format!("the event's attribute `{name}` has control characters")));
        }
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name, value)),
        }
        Ok(())
    }

    pub(super) fn set_id(&mut self, id: String) {
        if id.is_empty() || id.chars().any(char::is_control) {
            return;
        }
        if let Some((_, known)) = self.0.iter_mut().find(|(name, _)| *name == "id") {
            *known = id;
        }
    }

    /// The attributes, if those that every event has are there.
    pub(super) fn complete(self) -> Result<Self, TransformError> {
        for required in REQUIRED {
            if self.get(required).is_none_or(str::is_empty) {
                return Err(refused(format!("the event's attribute `{required}` is missing or empty")));
            }
        }
        Ok(self)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, value.as_str()))
    }
}

/// An attribute's value as the HTTP binding writes it (3.1.3.2): visible ASCII but `"` and `%`, the rest escaped.
pub(super) fn encode(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_graphic() && byte != b'"' && byte != b'%' {
            text.push(char::from(byte));
        } else {
            text.push('%');
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    text
}

/// The other way round: older senders quote a value instead of escaping it, which is undone first.
pub(super) fn decode(value: &[u8]) -> Option<String> {
    let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    let decoded = match quoted {
        None => percent_decode(value).decode_utf8().ok()?.into_owned(),
        Some(inner) => {
            let mut plain = Vec::with_capacity(inner.len());
            let mut bytes = inner.iter();
            while let Some(byte) = bytes.next() {
                plain.push(if *byte == b'\\' { *bytes.next().unwrap_or(byte) } else { *byte });
            }
            percent_decode(&plain).decode_utf8().ok()?.into_owned()
        }
    };
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_as_the_binding_says() {
        assert_eq!(encode("/a?b=c#d"), "/a?b=c#d");
        let text = "Euro € \"100%\"";
        assert_eq!(encode(text), "Euro%20%E2%82%AC%20%22100%25%22");
        assert_eq!(decode(encode(text).as_bytes()).unwrap(), text);
        assert_eq!(decode(br#""a \"b\" %2541""#).unwrap(), r#"a "b" %41"#);
        assert_eq!(decode(b"\"").unwrap(), "\"");
        assert_eq!(decode(b"%C0%A0"), None, "an overlong form");
    }

    #[test]
    fn an_event_has_what_every_event_has() {
        let mut attributes = Attributes::new();
        for name in ["id", "type"] {
            attributes.add(name, "x".to_owned()).unwrap();
        }
        let error = attributes.clone().complete().unwrap_err();
        assert!(error.message.contains("`source`"), "{error}");
        attributes.add("source", "/x".to_owned()).unwrap();
        attributes.complete().unwrap();
    }

    #[test]
    fn names_versions_and_control_characters_are_checked() {
        let mut attributes = Attributes::new();
        attributes.add("my_name", String::new()).unwrap_err();
        attributes.add("Name", String::new()).unwrap_err();
        attributes.add("specversion", "0.3".to_owned()).unwrap_err();
        attributes.add("id", "a\u{7f}".to_owned()).unwrap_err();
        attributes.add("specversion", "1.0".to_owned()).unwrap();
        assert_eq!(attributes.iter().count(), 1);
    }
}
