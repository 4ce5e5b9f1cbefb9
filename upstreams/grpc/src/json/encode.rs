//! From a message to JSON.

use prost_reflect::{DynamicMessage, ReflectMessage, SerializeOptions, Value};
use serde_json::Value as Json;

/// How JSON is written. By default as the mapping says: names in lowerCamelCase, enums by name, no fields with default
/// values.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Writing {
    pub(crate) proto_names: bool,
    pub(crate) defaults: bool,
    pub(crate) enum_numbers: bool,
}

impl Writing {
    fn options(self) -> SerializeOptions {
        SerializeOptions::new()
            .use_proto_field_name(self.proto_names)
            .skip_default_fields(!self.defaults)
            .use_enum_numbers(self.enum_numbers)
    }
}

/// Writes a message.
///
/// # Errors
/// An `Any` of a type that is not known, a time out of its bounds: what JSON has no form for.
pub(crate) fn write(message: &DynamicMessage, how: Writing) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(128);
    message.serialize_with_options(&mut serde_json::Serializer::new(&mut out), &how.options())?;
    Ok(out)
}

/// A message as a value. By way of its text, in which a number of 32 bits has no more digits than it needs.
///
/// # Errors
/// As [`write`]'s.
pub(crate) fn to_json(message: &DynamicMessage, how: Writing) -> Result<Json, serde_json::Error> {
    serde_json::from_slice(&write(message, how)?)
}

/// One field of a message, as the whole answer; its default where it is not set.
pub(crate) fn write_field(message: &DynamicMessage, name: &str, how: Writing) -> Result<Vec<u8>, serde_json::Error> {
    if let Some(Value::Message(inner)) = message.get_field_by_name(name).as_deref() {
        return write(inner, how);
    }
    let field = message.descriptor().get_field_by_name(name);
    let name = field.as_ref().map_or(name, |field| if how.proto_names { field.name() } else { field.json_name() });
    let mut whole = to_json(message, how)?;
    if whole.get(name).is_none() {
        whole = to_json(message, Writing { defaults: true, ..how })?;
    }
    serde_json::to_vec(whole.get(name).unwrap_or(&Json::Null))
}
