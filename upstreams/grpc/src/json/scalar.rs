//! Single values.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use callgate_core::document::nearest;
use prost_reflect::{EnumDescriptor, Kind, MapKey, Value};
use serde_json::{Number, Value as Json};

use super::unfit::{Unfit, some_of};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// A value of a kind that is no message. `None` for the name of an enum's value that is not known, where
/// `ignore_unknown` says that this is no error.
pub(crate) fn scalar(kind: &Kind, json: &Json, ignore_unknown: bool) -> Result<Option<Value>, Unfit> {
    Ok(Some(match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(whole(json, "a whole number of 32 bits")?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(whole(json, "a whole number of 64 bits")?),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(whole(json, "a whole number of 32 bits that is not negative")?),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(whole(json, "a whole number of 64 bits that is not negative")?),
        Kind::Double => Value::F64(float(json)?),
        Kind::Float => Value::F32(single(float(json)?)?),
        Kind::Bool => Value::Bool(json.as_bool().ok_or_else(|| Unfit::wanted("true or false"))?),
        Kind::String => Value::String(text(json)?.to_owned()),
        Kind::Bytes => Value::Bytes(bytes(text(json).map_err(|_| Unfit::wanted("bytes, in base64"))?)?),
        Kind::Enum(descriptor) => return enumerated(descriptor, json, ignore_unknown),
        Kind::Message(_) => return Err(Unfit::wanted("an object")),
    }))
}

/// The key of a map, which is text in JSON whatever its type.
pub(crate) fn key(kind: &Kind, text: &str) -> Result<MapKey, Unfit> {
    let number = || Json::String(text.to_owned());
    Ok(match kind {
        Kind::Bool => MapKey::Bool(match text {
            "true" => true,
            "false" => false,
            _ => return Err(Unfit::new("is a key that has to be true or false")),
        }),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => MapKey::I32(whole(&number(), KEY)?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => MapKey::I64(whole(&number(), KEY)?),
        Kind::Uint32 | Kind::Fixed32 => MapKey::U32(whole(&number(), KEY)?),
        Kind::Uint64 | Kind::Fixed64 => MapKey::U64(whole(&number(), KEY)?),
        _ => MapKey::String(text.to_owned()),
    })
}

const KEY: &str = "a key that is a whole number within the bounds of its type";

fn text(json: &Json) -> Result<&str, Unfit> {
    json.as_str().ok_or_else(|| Unfit::wanted("text"))
}

/// A whole number, as a number or as text; `1.0` and `1e3` are whole too.
fn whole<T: TryFrom<i128>>(json: &Json, wanted: &str) -> Result<T, Unfit> {
    let number = match json {
        Json::Number(number) => integer(number),
        Json::String(text) => match text.parse::<i128>() {
            // `parse` takes a sign that JSON's numbers do not have.
            Ok(number) if !text.starts_with('+') => Some(number),
            Ok(_) => None,
            Err(_) => number(text).as_ref().and_then(integer),
        },
        _ => None,
    };
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| Unfit::wanted(wanted))
}

/// A text that is written as JSON's numbers are.
fn number(text: &str) -> Option<Number> {
    // Blanks around a number are JSON, and no number.
    if text.is_empty() || text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return None;
    }
    serde_json::from_str(text).ok()
}

fn integer(number: &Number) -> Option<i128> {
    if let Some(number) = number.as_i64() {
        return Some(number.into());
    }
    if let Some(number) = number.as_u64() {
        return Some(number.into());
    }
    let number = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 1e20)?;
    #[allow(clippy::cast_possible_truncation, reason = "it is whole, and far within the type's bounds")]
    let whole = number as i128;
    Some(whole)
}

fn float(json: &Json) -> Result<f64, Unfit> {
    let wanted = || Unfit::wanted("a number");
    match json {
        Json::Number(number) => number.as_f64().ok_or_else(wanted),
        Json::String(text) => match text.as_str() {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            text => number(text).and_then(|number| number.as_f64()).ok_or_else(wanted),
        },
        _ => Err(wanted()),
    }
}

fn single(number: f64) -> Result<f32, Unfit> {
    #[allow(clippy::cast_possible_truncation, reason = "what is too large becomes infinite and is refused")]
    let single = number as f32;
    if single.is_infinite() && number.is_finite() {
        return Err(Unfit::wanted("a number of 32 bits"));
    }
    Ok(single)
}

fn bytes(text: &str) -> Result<bytes::Bytes, Unfit> {
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    engine.decode(text).map(Into::into).map_err(|_| Unfit::wanted("bytes, in base64"))
}

fn enumerated(descriptor: &EnumDescriptor, json: &Json, ignore_unknown: bool) -> Result<Option<Value>, Unfit> {
    if descriptor.full_name() == "google.protobuf.NullValue" {
        return match json {
            Json::Null => Ok(Some(Value::EnumNumber(0))),
            Json::String(name) if name == "NULL_VALUE" => Ok(Some(Value::EnumNumber(0))),
            Json::Number(number) if number.as_i64() == Some(0) => Ok(Some(Value::EnumNumber(0))),
            _ => Err(Unfit::wanted("null")),
        };
    }
    let Json::String(name) = json else {
        return whole(json, "the name of a value, or its number").map(|number| Some(Value::EnumNumber(number)));
    };
    if let Some(value) = descriptor.get_value_by_name(name) {
        return Ok(Some(Value::EnumNumber(value.number())));
    }
    if ignore_unknown {
        return Ok(None);
    }
    let known: Vec<_> = descriptor.values().map(|value| value.name().to_owned()).collect();
    let known = || known.iter().map(String::as_str);
    Err(match nearest(name, known()) {
        Some(near) => Unfit::new(format!("is no value of `{}`; did you mean `{near}`?", descriptor.full_name())),
        None => Unfit::wanted(&format!("one of {}", some_of(known()))),
    })
}
