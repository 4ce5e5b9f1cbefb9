//! Stands in for a required field that is not there, so that reading goes on and finds the next one.

use callgate_transform::{LOCATED, TEXT as TEMPLATE_TEXT};
use serde::{
    Deserializer,
    de::{DeserializeSeed, SeqAccess, Visitor, value::MapDeserializer},
    forward_to_deserialize_any,
};

use super::error::Error;
use crate::document::text::TEXT;

/// Gives a value of whatever type is asked for; what cannot be made up is an error that is not shown.
pub(super) struct Placeholder;

macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.visit_u64(1)
        }
    )*};
}

macro_rules! texts {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.visit_str("x")
        }
    )*};
}

impl<'a> Deserializer<'a> for Placeholder {
    type Error = Error;

    numbers!(
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_f32 deserialize_f64
    );

    texts!(deserialize_char deserialize_str deserialize_string);

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(false)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match name {
            LOCATED => visitor.visit_seq(Parts(4)),
            TEXT | TEMPLATE_TEXT => visitor.visit_str("x"),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Parts(0))
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Parts(length))
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(Parts(length))
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(MapDeserializer::new(std::iter::empty::<(&str, &str)>()))
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        Err(Error::wrong("there is no value to stand in"))
    }

    forward_to_deserialize_any! {
        <W: Visitor<'a>>
        bytes byte_buf unit unit_struct identifier ignored_any
    }
}

/// So many placeholders.
struct Parts(usize);

impl<'a> SeqAccess<'a> for Parts {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = left;
                seed.deserialize(Placeholder).map(Some)
            }
            None => Ok(None),
        }
    }
}
