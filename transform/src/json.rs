//! Template values as JSON.

use std::cell::Cell;

use minijinja::{Value, value::ValueKind};
use serde::{
    Serialize, Serializer,
    ser::{Error, SerializeMap, SerializeSeq},
};

use crate::scope::is_missing;

/// How deep a value may nest, as in `serde_json`'s reader.
const DEPTH: usize = 128;

thread_local! {
    static NESTING: Cell<usize> = const { Cell::new(0) };
}

/// A template's value, serialized as JSON: an undefined part or bytes are an error, never a null or a list.
#[derive(Debug)]
pub(crate) struct JsonOf<'a>(pub(crate) &'a Value);

impl Serialize for JsonOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.0;
        match value.kind() {
            ValueKind::String => serializer.serialize_str(value.as_str().unwrap_or("")),
            ValueKind::None => serializer.serialize_unit(),
            _ if is_missing(value) => Err(S::Error::custom("a part of the value is undefined")),
            ValueKind::Bytes => Err(S::Error::custom("bytes are no JSON value; encode them, as with `base64_encode`")),
            ValueKind::Seq | ValueKind::Iterable => nested(|| {
                let mut list = serializer.serialize_seq(value.len())?;
                for item in value.try_iter().map_err(S::Error::custom)?.checked() {
                    list.serialize_element(&JsonOf(&item.map_err(S::Error::custom)?))?;
                }
                list.end()
            }),
            ValueKind::Map => nested(|| {
                let mut map = serializer.serialize_map(value.len())?;
                for key in value.try_iter().map_err(S::Error::custom)?.checked() {
                    let key = key.map_err(S::Error::custom)?;
                    let item = value.get_item(&key).map_err(S::Error::custom)?;
                    match key.as_str() {
                        Some(key) => map.serialize_entry(key, &JsonOf(&item))?,
                        None => map.serialize_entry(&key.to_string(), &JsonOf(&item))?,
                    }
                }
                map.end()
            }),
            ValueKind::Bool | ValueKind::Number => value.serialize(serializer),
            _ => Err(S::Error::custom("this is no JSON value")),
        }
    }
}

fn nested<T, E: Error>(write: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let depth = NESTING.get();
    if depth >= DEPTH {
        return Err(E::custom("the value nests too deeply"));
    }
    NESTING.set(depth + 1);
    let written = write();
    NESTING.set(depth);
    written
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    #[test]
    fn scalars_keep_their_types() {
        let value = context! { a => 1, b => 1.5, c => "x\"", d => true, e => (), f => vec![1, 2], g => u64::MAX };
        let json = serde_json::to_value(JsonOf(&value)).unwrap();
        let expected =
            serde_json::json!({"a": 1, "b": 1.5, "c": "x\"", "d": true, "e": null, "f": [1, 2], "g": u64::MAX});
        assert_eq!(json, expected);
    }

    #[test]
    fn undefined_parts_and_bytes_are_errors() {
        for value in [Value::UNDEFINED, Value::from(vec![Value::UNDEFINED]), Value::from_bytes(vec![1])] {
            assert!(serde_json::to_string(&JsonOf(&value)).is_err(), "{value:?}");
        }
    }
}
