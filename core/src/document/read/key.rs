//! A key as serde's `Deserializer`.

use callgate_transform::LOCATED;
use serde::{
    Deserializer,
    de::{DeserializeSeed, IntoDeserializer, SeqAccess, Visitor, value::BorrowedStrDeserializer},
    forward_to_deserialize_any,
};

use super::error::Error;
use crate::document::{Key, Value, resolve};

pub(super) struct KeyDeserializer<'a> {
    pub(super) key: &'a Key,
}

impl KeyDeserializer<'_> {
    fn number(&self) -> Result<i128, Error> {
        match resolve(&self.key.text) {
            Value::Integer(value) => Ok(value),
            _ => Err(Error::wrong(format!("expected a whole number as key, found `{}`", self.key.text))),
        }
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
            let value = <$type>::try_from(self.number()?).map_err(|_| Error::wrong(format!(
                "expected a whole number from {} to {} as key, found `{}`",
                <$type>::MIN, <$type>::MAX, self.key.text,
            )))?;
            visitor.$visit(value)
        }
    )*};
}

impl<'a> Deserializer<'a> for KeyDeserializer<'a> {
    type Error = Error;

    numbers!(
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64
    );

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(&self.key.text)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name == LOCATED {
            let at = self.key.at;
            let place = [at.source, at.line, at.column].into_iter();
            return visitor.visit_seq(LocatedKey { key: Some(self), place });
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        BorrowedStrDeserializer::new(&self.key.text).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        <W: Visitor<'a>>
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

struct LocatedKey<'a> {
    key: Option<KeyDeserializer<'a>>,
    place: std::array::IntoIter<u32, 3>,
}

impl<'a> SeqAccess<'a> for LocatedKey<'a> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        match self.place.next() {
            Some(number) => seed.deserialize(number.into_deserializer()).map(Some),
            None => self.key.take().map(|key| seed.deserialize(key)).transpose(),
        }
    }
}
