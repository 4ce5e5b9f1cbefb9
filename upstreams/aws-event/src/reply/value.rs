//! The values that a reply may hold, read with as few copies as the JSON allows.

use std::{borrow::Cow, fmt, marker::PhantomData};

use http::StatusCode;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor},
};

/// A string, borrowed where it has no escapes.
#[derive(Debug)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

/// A header's value: a string, number or boolean as text, or null.
#[derive(Debug)]
pub(super) enum Scalar<'a> {
    Null,
    Text(Cow<'a, str>),
}

/// An object in its order; null is an empty one.
#[derive(Debug)]
pub(super) struct Pairs<'a, T>(pub(super) Vec<(Text<'a>, T)>);

/// A list of strings; null is an empty one.
#[derive(Debug, Default)]
pub(super) struct Cookies<'a>(pub(super) Vec<Scalar<'a>>);

/// A boolean; null is false.
#[derive(Debug, Default)]
pub(super) struct Flag(pub(super) bool);

/// A status, or what stands in its place.
#[derive(Debug, Default)]
pub(super) enum Status {
    #[default]
    Absent,
    Code(StatusCode),
    Wrong(String),
}

impl<T> Default for Pairs<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl Status {
    fn checked(code: Option<u16>, found: impl fmt::Display) -> Self {
        code.filter(|code| (200..600).contains(code))
            .and_then(|code| StatusCode::from_u16(code).ok())
            .map_or_else(|| Self::Wrong(found.to_string()), Self::Code)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(text.to_owned().into()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, a boolean or null")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(text.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(text.to_owned().into()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Text(if value { "true" } else { "false" }.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Text(value.to_string().into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Text(value.to_string().into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Text(serde_json::Value::from(value).to_string().into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct PairsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PairsVisitor<T> {
    type Value = Pairs<'de, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of headers or null")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Pairs::default())
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Pairs<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PairsVisitor(PhantomData))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Cookies<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let cookies = Option::<Vec<Text<'a>>>::deserialize(deserializer)?;
        Ok(Self(cookies.into_iter().flatten().map(|Text(text)| Scalar::Text(text)).collect()))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::<bool>::deserialize(deserializer)?.unwrap_or_default()))
    }
}

struct StatusVisitor;

impl<'de> Visitor<'de> for StatusVisitor {
    type Value = Status;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer from 200 to 599")
    }

    fn visit_u64<E: Error>(self, code: u64) -> Result<Status, E> {
        Ok(Status::checked(u16::try_from(code).ok(), code))
    }

    fn visit_i64<E: Error>(self, code: i64) -> Result<Status, E> {
        Ok(Status::checked(None, code))
    }

    fn visit_f64<E: Error>(self, code: f64) -> Result<Status, E> {
        Ok(Status::checked(None, Unexpected::Float(code)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Status, E> {
        let is_code = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        let shown: String = text.chars().take(100).collect();
        Ok(Status::checked(is_code.then(|| text.parse().ok()).flatten(), Unexpected::Str(&shown)))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Status, E> {
        Ok(Status::checked(None, value))
    }

    fn visit_unit<E: Error>(self) -> Result<Status, E> {
        Ok(Status::checked(None, "null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Status, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Status::checked(None, "a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Status, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Status::checked(None, "an object"))
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StatusVisitor)
    }
}
