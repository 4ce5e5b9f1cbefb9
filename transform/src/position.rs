//! Where a value was written, carried through serde.

use std::{borrow::Cow, fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
};

/// The name of the newtype by which [`Located`] asks a deserializer for positions.
///
/// A deserializer that knows positions answers `deserialize_newtype_struct` of this name with `visit_seq` of four
/// elements: source, line and column (`u32` each), and the value. Any other answers with `visit_newtype_struct`.
pub const LOCATED: &str = "$callgate::Located";

/// A place in a configuration source. The default is an unknown place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Index of the file among the sources of the document.
    pub source: u32,
    /// Line, from 1; 0 when the place is not known.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl Position {
    /// Whether the place is known.
    #[must_use]
    pub const fn is_known(self) -> bool {
        self.line > 0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A value and the place where it was written. Serialized, and in the schema, it is the value alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub at: Position,
}

impl<T> Located<T> {
    /// A value of which no place is known.
    pub const fn nowhere(value: T) -> Self {
        Self { value, at: Position { source: 0, line: 0, column: 0 } }
    }
}

struct LocatedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for LocatedVisitor<T> {
    type Value = Located<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        T::deserialize(deserializer).map(Located::nowhere)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let mut number =
            |index| parts.next_element::<u32>()?.ok_or_else(|| A::Error::invalid_length(index, &"4 parts"));
        let at = Position { source: number(0)?, line: number(1)?, column: number(2)? };
        let value = parts.next_element()?.ok_or_else(|| A::Error::invalid_length(3, &"4 parts"))?;
        Ok(Located { value, at })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(LOCATED, LocatedVisitor(PhantomData))
    }
}

impl<T: Serialize> Serialize for Located<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use serde::de::{
        Error as _, IntoDeserializer,
        value::{Error, SeqDeserializer},
    };

    use super::*;

    struct Positioned;

    impl<'de> Deserializer<'de> for Positioned {
        type Error = Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(Error::custom("asked for anything"))
        }

        fn deserialize_newtype_struct<V: Visitor<'de>>(
            self,
            name: &'static str,
            visitor: V,
        ) -> Result<V::Value, Error> {
            assert_eq!(name, LOCATED);
            visitor.visit_seq(SeqDeserializer::new(
                [2_u32, 7, 3, 42].into_iter().map(IntoDeserializer::<Error>::into_deserializer),
            ))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
        }
    }

    #[test]
    fn takes_the_position_of_a_deserializer_that_knows_it() {
        let found = Located::<u32>::deserialize(Positioned).unwrap();
        assert_eq!(found, Located { value: 42, at: Position { source: 2, line: 7, column: 3 } });
    }

    #[test]
    fn has_no_position_with_any_other_deserializer_and_serializes_as_its_value() {
        let found: Located<String> = serde_json::from_str(r#""text""#).unwrap();
        assert_eq!(found, Located::nowhere("text".to_owned()));
        assert!(!found.at.is_known());
        assert_eq!(serde_json::to_string(&found).unwrap(), r#""text""#);
    }
}
