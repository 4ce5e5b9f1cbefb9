//! From JSON to a message.

use std::collections::HashMap;

use prost_reflect::{DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde_json::Value as Json;

use super::{scalar, special, unfit::Unfit};

/// How JSON is read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    /// Whether fields that a message does not have are passed over.
    pub(crate) ignore_unknown: bool,
}

/// A message of this type.
pub(crate) fn message(descriptor: &MessageDescriptor, json: &Json, how: Reading) -> Result<DynamicMessage, Unfit> {
    if special(descriptor.full_name()).is_some() {
        return special_message(descriptor, json, how);
    }
    let Json::Object(members) = json else { return Err(Unfit::wanted("an object")) };
    let mut message = DynamicMessage::new(descriptor.clone());
    let mut given: Vec<u32> = Vec::with_capacity(members.len());
    for (name, json) in members {
        let Some(field) = named(descriptor, name) else {
            if how.ignore_unknown {
                continue;
            }
            return Err(unknown(descriptor, name));
        };
        if given.contains(&field.number()) {
            return Err(Unfit::new("is given twice, by both of its names").below(name));
        }
        given.push(field.number());
        let Some(value) = self::field(&field, json, how).map_err(|unfit| unfit.below(name))? else { continue };
        let rival = field.containing_oneof().and_then(|oneof| {
            let mut fields = oneof.fields();
            fields.find(|other| other.number() != field.number() && message.has_field(other))
        });
        if let Some(rival) = rival {
            let problem = format!("excludes `{}`, which is given too", rival.json_name());
            return Err(Unfit::new(problem).below(name));
        }
        set(&mut message, &field, value).map_err(|unfit| unfit.below(name))?;
    }
    Ok(message)
}

/// The value of a field; `None` where null says that there is none.
pub(crate) fn field(field: &FieldDescriptor, json: &Json, how: Reading) -> Result<Option<Value>, Unfit> {
    let kind = field.kind();
    if json.is_null() {
        let null = !field.is_list() && !field.is_map() && takes_null(&kind);
        return if null { single(&kind, json, how) } else { Ok(None) };
    }
    if field.is_map() {
        return map(&kind, json, how).map(Some);
    }
    if field.is_list() {
        let Json::Array(items) = json else { return Err(Unfit::wanted("a list")) };
        let mut list = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            list.extend(single(&kind, item, how).map_err(|unfit| unfit.at(index))?);
        }
        return Ok(Some(Value::List(list)));
    }
    single(&kind, json, how)
}

fn map(entry: &Kind, json: &Json, how: Reading) -> Result<Value, Unfit> {
    let (Json::Object(members), Some(entry)) = (json, entry.as_message()) else {
        return Err(Unfit::wanted("an object"));
    };
    let (keys, values) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
    let mut map = HashMap::with_capacity(members.len());
    for (name, json) in members {
        let key = scalar::key(&keys, name).map_err(|unfit| unfit.below(name))?;
        if let Some(value) = single(&values, json, how).map_err(|unfit| unfit.below(name))?
            && map.insert(key, value).is_some()
        {
            return Err(Unfit::new("is a key that is given twice").below(name));
        }
    }
    Ok(Value::Map(map))
}

fn single(kind: &Kind, json: &Json, how: Reading) -> Result<Option<Value>, Unfit> {
    match kind {
        Kind::Message(descriptor) => {
            if json.is_null() && !takes_null(kind) {
                return Err(Unfit::new("can't be null"));
            }
            message(descriptor, json, how).map(|message| Some(Value::Message(message)))
        }
        kind => scalar::scalar(kind, json, how.ignore_unknown),
    }
}

/// Types of which null is a value of its own.
fn takes_null(kind: &Kind) -> bool {
    match kind {
        Kind::Message(descriptor) => descriptor.full_name() == "google.protobuf.Value",
        Kind::Enum(descriptor) => descriptor.full_name() == "google.protobuf.NullValue",
        _ => false,
    }
}

/// A type whose JSON is not that of its fields.
fn special_message(descriptor: &MessageDescriptor, json: &Json, how: Reading) -> Result<DynamicMessage, Unfit> {
    if let (Some(value), true) = (descriptor.get_field_by_name("value"), is_wrapper(descriptor)) {
        let mut message = DynamicMessage::new(descriptor.clone());
        if let Some(inner) = single(&value.kind(), json, how)? {
            set(&mut message, &value, inner)?;
        }
        return Ok(message);
    }
    if !json.is_string() && matches!(special(descriptor.full_name()), Some("Timestamp" | "Duration" | "FieldMask")) {
        return Err(Unfit::wanted(form(descriptor)));
    }
    let options = DeserializeOptions::new().deny_unknown_fields(!how.ignore_unknown);
    DynamicMessage::deserialize_with_options(descriptor.clone(), json, &options)
        .map_err(|error| Unfit::new(format!("has to be {}: {error}", form(descriptor))))
}

pub(super) fn is_wrapper(descriptor: &MessageDescriptor) -> bool {
    special(descriptor.full_name())
        .is_some_and(|name| name.ends_with("Value") && !matches!(name, "Value" | "ListValue"))
}

fn form(descriptor: &MessageDescriptor) -> &'static str {
    match special(descriptor.full_name()) {
        Some("Timestamp") => "a time such as `2026-01-31T08:30:00Z`",
        Some("Duration") => "a number of seconds such as `1.5s`",
        Some("FieldMask") => "names of fields such as `user.displayName,photo`",
        Some("Any") => "an object whose `@type` names a type that is known",
        Some("ListValue") => "a list",
        Some("Empty") => "an empty object",
        Some("Struct") => "an object",
        _ => "JSON",
    }
}

/// A field by its JSON name or by its own.
pub(super) fn named(descriptor: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    descriptor.get_field_by_json_name(name).or_else(|| descriptor.get_field_by_name(name))
}

pub(super) fn unknown(descriptor: &MessageDescriptor, name: &str) -> Unfit {
    let known: Vec<_> = descriptor.fields().map(|field| field.json_name().to_owned()).collect();
    Unfit::unknown(name, descriptor.full_name(), known.iter().map(String::as_str))
}

pub(crate) fn set(message: &mut DynamicMessage, field: &FieldDescriptor, value: Value) -> Result<(), Unfit> {
    // The library's own words show the whole value.
    message.try_set_field(field, value).map_err(|_| Unfit::new("does not fit"))
}
