//! A node as serde's `Deserializer`.

use std::borrow::Cow;

use callgate_transform::{BRANCH, LOCATED, ONE_OR_MANY, TEXT as TEMPLATE_TEXT};
use serde::{Deserializer, de::Visitor};

use super::{
    Session,
    collection::{Entries, Items, LocatedParts, TextParts},
    error::Error,
    variant,
};
use crate::document::{DocPath, Node, Value, resolve, text::TEXT};

pub(super) struct NodeDeserializer<'a> {
    pub(super) node: &'a Node,
    pub(super) path: DocPath,
    pub(super) session: &'a Session,
}

impl<'a> NodeDeserializer<'a> {
    pub(super) const fn new(node: &'a Node, path: DocPath, session: &'a Session) -> Self {
        Self { node, path, session }
    }

    fn located<T>(self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| error.or_at(self.node, &self.path))
    }

    fn items<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match &self.node.value {
            Value::Sequence(items) => visitor.visit_seq(Items::new(&self, items)),
            Value::Null if self.node.substituted.is_none() => visitor.visit_seq(Items::new(&self, &[])),
            _ => Err(self.expected("a list")),
        };
        self.located(result)
    }

    fn mapping<V: Visitor<'a>>(self, fields: Option<&'static [&'static str]>, visitor: V) -> Result<V::Value, Error> {
        let result = match &self.node.value {
            Value::Mapping(entries) => visitor.visit_map(Entries::new(&self, entries, fields)),
            Value::Null if self.node.substituted.is_none() => visitor.visit_map(Entries::new(&self, &[], fields)),
            _ => Err(self.expected("a mapping")),
        };
        self.located(result)
    }

    /// The error of a wrong type, with what to write where that is easily said.
    fn expected(&self, expected: &str) -> Error {
        let error = Error::expected(expected, self.node);
        if self.node.is_substituted() {
            return error;
        }
        let text = self.node.scalar_text().unwrap_or("");
        let single = !text.is_empty() && text.len() <= 40 && !text.contains(['\n', '"', '\\']);
        match (expected, &self.node.value) {
            ("text", Value::Bool(_) | Value::Integer(_) | Value::Float(_)) => {
                error.with_hint(format!("quote it: \"{text}\""))
            }
            ("text", Value::Null) if !text.is_empty() => error.with_hint(format!("quote it: \"{text}\"")),
            ("true or false", Value::String(text)) => match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "y" | "true" => error.with_hint("write `true`"),
                "no" | "off" | "n" | "false" => error.with_hint("write `false`"),
                _ => error,
            },
            ("a list", Value::String(_) | Value::Integer(_)) if single => {
                error.with_hint(format!("write a list of one: `[{text}]`"))
            }
            (_, Value::String(text)) if expected.contains("number") && is_number(text) => {
                error.with_hint(format!("write it without quotes: {text}"))
            }
            _ => error,
        }
    }

    /// The value where a number or `true` is wanted.
    ///
    /// Within `{...}` a reference must be quoted, so the quotes say nothing about the type of what it gives.
    fn typed(&self) -> Cow<'a, Value> {
        match &self.node.value {
            Value::String(text) if self.node.is_substituted() => Cow::Owned(resolve(text)),
            value => Cow::Borrowed(value),
        }
    }

    fn text<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match &self.node.value {
            Value::String(text) => visitor.visit_borrowed_str(text),
            // What a reference gives is text, whatever it looks like.
            _ if self.node.is_substituted() => visitor.visit_borrowed_str(self.node.scalar_text().unwrap_or("")),
            _ => Err(self.expected("text")),
        };
        self.located(result)
    }
}

fn is_number(text: &str) -> bool {
    matches!(resolve(text), Value::Integer(_) | Value::Float(_))
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
            let result = match *self.typed() {
                Value::Integer(value) => match <$type>::try_from(value) {
                    Ok(value) => visitor.$visit(value),
                    Err(_) if value < 0 && <$type>::MIN == 0 => Err(self.expected("a whole number, 0 or more")),
                    Err(_) => Err(self.expected(
                        &format!("a whole number from {} to {}", <$type>::MIN, <$type>::MAX),
                    )),
                },
                _ => Err(self.expected("a whole number")),
            };
            self.located(result)
        }
    )*};
}

impl<'a> Deserializer<'a> for NodeDeserializer<'a> {
    type Error = Error;

    whole_numbers!(
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_u128 visit_u128 u128, deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_i128 visit_i128 i128
    );

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(value) => {
                if let Ok(value) = u64::try_from(*value) {
                    visitor.visit_u64(value)
                } else if let Ok(value) = i64::try_from(*value) {
                    visitor.visit_i64(value)
                } else {
                    visitor.visit_i128(*value)
                }
            }
            Value::Float(value) => visitor.visit_f64(*value),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Sequence(items) => visitor.visit_seq(Items::new(&self, items)),
            Value::Mapping(entries) => visitor.visit_map(Entries::new(&self, entries, None)),
        };
        self.located(result)
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match *self.typed() {
            Value::Bool(value) => visitor.visit_bool(value),
            _ => Err(self.expected("true or false")),
        };
        self.located(result)
    }

    fn deserialize_f32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    #[allow(clippy::cast_precision_loss, reason = "a number with a fraction is asked for")]
    fn deserialize_f64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = match *self.typed() {
            Value::Integer(value) => visitor.visit_f64(value as f64),
            Value::Float(value) => visitor.visit_f64(value),
            _ => Err(self.expected("a number")),
        };
        self.located(result)
    }

    fn deserialize_char<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_identifier<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        let (node, path) = (self.node, self.path.clone());
        if node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
            .map_err(|error| error.or_at(node, &path))
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        let result = if self.node.is_null() { visitor.visit_unit() } else { Err(self.expected("nothing")) };
        self.located(result)
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() { self.deserialize_unit(visitor) } else { self.mapping(Some(&[]), visitor) }
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        let (node, path) = (self.node, self.path.clone());
        let result = match name {
            LOCATED => visitor.visit_seq(LocatedParts::new(self)),
            ONE_OR_MANY => match &node.value {
                Value::Sequence(items) => visitor.visit_seq(Items::new(&self, items)),
                _ => visitor.visit_some(self),
            },
            TEXT => match node.scalar_text() {
                Some(text) if !node.is_null() || node.is_substituted() => visitor.visit_borrowed_str(text),
                _ => Err(self.expected("text, a number or true or false")),
            },
            TEMPLATE_TEXT => match node.scalar_text() {
                Some(text) if !node.is_null() || node.is_substituted() => visitor.visit_seq(TextParts::new(node, text)),
                _ => Err(self.expected("text, a number or true or false")),
            },
            BRANCH => match &node.value {
                Value::String(_) => visitor.visit_some(self),
                _ => self.deserialize_any(visitor),
            },
            _ => visitor.visit_newtype_struct(self),
        };
        result.map_err(|error| error.or_at(node, &path))
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.items(visitor)
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.items(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.items(visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.mapping(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.mapping(Some(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (node, path) = (self.node, self.path.clone());
        variant::read(&self, variants, visitor).map_err(|error| error.or_at(node, &path))
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}
