//! A value that is never shown.

use std::{borrow::Cow, convert::Infallible, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::text::{AnyScalar, TEXT};

const SHOWN: &str = "***";

/// A password, key or token: displayed, debugged and serialized as `***`.
///
/// It should come by reference, `${NAME}` or `${file:/path}`, so that the document does not hold it. A value that
/// looks like a number is taken as the text it is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

impl Secret {
    /// Takes a value in.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(value: &str) -> Result<Self, Infallible> {
        Ok(Self::new(value))
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(SHOWN)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TEXT, AnyScalar).map(Self)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "password",
            "description": "A secret, best given by reference: `${NAME}` or `${file:/run/secrets/name}`. It is never shown.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_form_of_it_shows_the_value(value in "[a-z0-9]{1,40}") {
            let secret = Secret::new(value.as_str());
            let shown = format!("{secret} {secret:?} {:#?} {}", [&secret], serde_json::to_string(&secret).unwrap());
            proptest::prop_assert!(!shown.contains(&value));
            proptest::prop_assert_eq!(secret.expose(), value);
        }
    }

    #[test]
    fn a_numeric_value_is_text() {
        assert_eq!(serde_json::from_str::<Secret>("12345").unwrap().expose(), "12345");
    }
}
