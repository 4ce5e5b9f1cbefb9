//! What a claim has to be.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
    ser::SerializeMap,
};
use serde_json::Value;

use crate::{document::Text, routing::WholeRegex};

/// What a claim has to be.
#[derive(Debug, Clone)]
pub(crate) enum ClaimRule {
    Is(Text),
    Any(Vec<Text>),
    Regex(WholeRegex),
}

impl PartialEq for ClaimRule {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Is(one), Self::Is(other)) => one == other,
            (Self::Any(one), Self::Any(other)) => one == other,
            (Self::Regex(one), Self::Regex(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl ClaimRule {
    /// Whether claims hold to it under this name.
    pub(super) fn holds(&self, name: &str, claims: &Value) -> bool {
        let is = |value: &str| match self {
            Self::Is(text) => &**text == value,
            Self::Any(texts) => texts.iter().any(|text| &**text == value),
            Self::Regex(regex) => regex.is_match(value),
        };
        match claim(claims, name) {
            None | Some(Value::Null | Value::Object(_)) => false,
            Some(Value::Array(values)) => values.iter().any(|value| is(&text(value))),
            Some(Value::String(words)) if name == "scope" || name == "scp" => words.split(' ').any(is),
            Some(value) => is(&text(value)),
        }
    }
}

/// A claim by its name, or by a JSON pointer.
pub(crate) fn claim<'a>(claims: &'a Value, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| claims.pointer(name).filter(|_| name.starts_with('/')))
}

/// A claim as text.
pub(crate) fn text(value: &Value) -> Cow<'_, str> {
    value.as_str().map_or_else(|| value.to_string().into(), Cow::from)
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ClaimTest {
    /// It has to be one of these.
    any: Option<Vec<Text>>,
    /// The whole of it has to match this regular expression.
    regex: Option<String>,
}

impl<'de> Deserialize<'de> for ClaimRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = ClaimRule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, `{any: [...]}` or `{regex: '...'}`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ClaimRule, E> {
                Ok(ClaimRule::Is(text.into()))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<ClaimRule, E> {
                Ok(ClaimRule::Is(value.to_string().into()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<ClaimRule, E> {
                Ok(ClaimRule::Is(value.to_string().into()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<ClaimRule, E> {
                Ok(ClaimRule::Is(value.to_string().into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ClaimRule, A::Error> {
                match ClaimTest::deserialize(MapAccessDeserializer::new(map))? {
                    ClaimTest { any: Some(any), regex: None } => Ok(ClaimRule::Any(any)),
                    ClaimTest { any: None, regex: Some(regex) } => {
                        WholeRegex::parse(&regex).map(ClaimRule::Regex).map_err(A::Error::custom)
                    }
                    _ => Err(A::Error::custom("what a claim has to be is a value, `{any: [...]}` or `{regex: '...'}`")),
                }
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl Serialize for ClaimRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = match self {
            Self::Is(text) => return text.serialize(serializer),
            Self::Any(_) | Self::Regex(_) => serializer.serialize_map(Some(1))?,
        };
        match self {
            Self::Any(texts) => map.serialize_entry("any", texts)?,
            Self::Regex(regex) => map.serialize_entry("regex", regex.as_str())?,
            Self::Is(_) => {}
        }
        map.end()
    }
}

impl JsonSchema for ClaimRule {
    fn schema_name() -> Cow<'static, str> {
        "ClaimRule".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (text, test) = (generator.subschema_for::<Text>(), generator.subschema_for::<ClaimTest>());
        json_schema!({"anyOf": [text, test]})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn claims_are_values_lists_and_words() {
        let claims = json!({
            "role": "admin", "groups": ["dev", "ops"], "level": 3, "ok": true, "scope": "read write", "none": null,
            "realm_access": {"roles": ["clerk"]}, "https://a.example/tier": "gold",
        });
        for (name, rule, holds) in [
            ("role", json!("admin"), true),
            ("role", json!("adm"), false),
            ("role", json!({"any": ["user", "admin"]}), true),
            ("role", json!({"regex": "adm.*"}), true),
            ("role", json!({"regex": "adm"}), false),
            ("groups", json!("ops"), true),
            ("groups", json!("dev ops"), false),
            ("level", json!(3), true),
            ("level", json!("3"), true),
            ("ok", json!(true), true),
            ("scope", json!("write"), true),
            ("scope", json!("writ"), false),
            ("scope", json!("read write"), false),
            ("none", json!("null"), false),
            ("missing", json!({"regex": ".*"}), false),
            ("realm_access", json!({"regex": ".*"}), false),
            ("/realm_access/roles", json!("clerk"), true),
            ("https://a.example/tier", json!("gold"), true),
        ] {
            let read: ClaimRule = from_value(rule.clone()).unwrap();
            assert_eq!(read.holds(name, &claims), holds, "{name}: {rule}");
        }
    }

    #[test]
    fn a_rule_is_written_back() {
        for rule in [json!("a"), json!({"any": ["a", "b"]}), json!({"regex": "a.*"})] {
            assert_eq!(to_value(from_value::<ClaimRule>(rule.clone()).unwrap()).unwrap(), rule);
        }
        for wrong in [json!({}), json!({"any": ["a"], "regex": "b"}), json!({"regex": "("}), json!(["a"])] {
            assert!(from_value::<ClaimRule>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
