//! Any YAML tree, as `json:` takes it, and the mapping type beside it.

use std::{borrow::Cow, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
    ser::{SerializeMap, SerializeSeq},
};

use crate::{
    position::{Located, Position},
    text::Text,
};

/// The name of the newtype by which a [`Branch`] asks a deserializer for text that keeps its places.
///
/// A deserializer that knows the name answers `deserialize_newtype_struct` of it with `visit_some` for a string, and as
/// `deserialize_any` for anything else. Any other answers with `visit_newtype_struct`.
pub const BRANCH: &str = "$callgate::Branch";

/// Any YAML tree whose nodes know their places. Mappings keep their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// The value of the root.
    pub value: Branch,
    /// Where the root is written.
    pub at: Position,
}

/// The value of one node of a [`Tree`].
#[derive(Clone, Debug, PartialEq)]
pub enum Branch {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number that JSON can hold.
    Number(serde_json::Number),
    /// Text, possibly a template.
    Text(Text),
    /// A list.
    List(Vec<Tree>),
    /// A mapping.
    Map(Vec<(String, Tree)>),
}

struct BranchVisitor;

impl<'de> Visitor<'de> for BranchVisitor {
    type Value = Branch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Branch, E> {
        Ok(Branch::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Branch, E> {
        Ok(Branch::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Branch, D::Error> {
        Text::deserialize(deserializer).map(Branch::Text)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Branch, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Branch, E> {
        Ok(Branch::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Branch, E> {
        Ok(Branch::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Branch, E> {
        Ok(Branch::Number(value.into()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Branch, E> {
        let number = serde_json::Number::from_i128(value);
        number.map(Branch::Number).ok_or_else(|| E::custom("this number is too large for JSON"))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Branch, E> {
        let number = serde_json::Number::from_f64(value);
        number.map(Branch::Number).ok_or_else(|| E::custom("JSON has no infinite numbers"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Branch, E> {
        Ok(Branch::Text(text.to_owned().into()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Branch, E> {
        Ok(Branch::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Branch, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Branch::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Branch, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Branch::Map(map))
    }
}

impl<'de> Deserialize<'de> for Branch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(BRANCH, BranchVisitor)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Located::<Branch>::deserialize(deserializer).map(|Located { value, at }| Self { value, at })
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Branch::Null => serializer.serialize_unit(),
            Branch::Bool(value) => serializer.serialize_bool(*value),
            Branch::Number(value) => value.serialize(serializer),
            Branch::Text(value) => value.serialize(serializer),
            Branch::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Branch::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
        }
    }
}

impl JsonSchema for Tree {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Tree".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(true)
    }
}

/// A mapping of names to values that keeps its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<T>(pub Vec<(Located<String>, T)>);

impl<T> Named<T> {
    /// Whether nothing is given.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

struct NamedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<T> {
    type Value = Named<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of names to values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut named = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            named.push(entry);
        }
        Ok(Named(named))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(NamedVisitor(PhantomData))
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, value)| map.serialize_entry(&name.value, value))?;
        map.end()
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "additionalProperties": generator.subschema_for::<T>()})
    }
}
