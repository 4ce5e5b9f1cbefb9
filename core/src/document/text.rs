//! Text that may be written as any scalar.

use std::{borrow::Cow, fmt, ops::Deref};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Visitor},
};

/// The name by which the document's deserializer knows that the text of a scalar is asked for, not its type.
pub(super) const TEXT: &str = "$callgate::Text";

/// Text where a number or `true` is as good: the value of a header is `1.10` as it is written, not the number 1.1.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// The text itself.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TEXT, AnyScalar).map(Self)
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"]})
    }
}

/// Takes the text of any scalar.
pub(super) struct AnyScalar;

impl<'de> Visitor<'de> for AnyScalar {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number or true or false")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<String, E> {
        Ok(value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::document::{DocPath, Document, System, from_node};

    #[test]
    fn a_scalar_keeps_the_text_it_is_written_as() {
        let document = Document::parse("t", "{a: 1.10, b: true, c: text, d: \"5\", e: 0x1F}", &System).unwrap();
        let texts: BTreeMap<String, Text> = from_node(document.root(), &DocPath::root()).unwrap();
        let texts: Vec<&str> = texts.values().map(|text| &**text).collect();
        assert_eq!(texts, ["1.10", "true", "text", "5", "0x1F"]);
    }

    #[test]
    fn other_formats_give_it_too() {
        assert_eq!(serde_json::from_str::<Text>("5").unwrap(), Text::from("5"));
        assert_eq!(serde_json::from_str::<Text>("\"a\"").unwrap(), Text::from("a"));
    }
}
