//! A message that fits its type, to start from.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use crate::{config::Json, json::special};

/// How deep an example goes: deeper fields are left out.
const DEEPEST: usize = 4;

/// An example of a message. A type that lies in itself is shown once.
pub(super) fn message(message: &MessageDescriptor, settings: Json) -> Value {
    of(message, settings, &mut Vec::new())
}

/// An example of a message that lies in messages of these types.
fn of(message: &MessageDescriptor, settings: Json, within: &mut Vec<String>) -> Value {
    if let Some(special) = special(message.full_name()) {
        return wrapped(special, message, settings, within);
    }
    within.push(message.full_name().to_owned());
    let mut fields = Map::new();
    for field in message.fields() {
        let is_further = field
            .containing_oneof()
            .is_some_and(|oneof| oneof.fields().next().is_some_and(|first| first.number() != field.number()));
        if is_further || !is_shown(&field, within) {
            continue;
        }
        let name = if settings.proto_names { field.name() } else { field.json_name() };
        fields.insert(name.to_owned(), value(&field, settings, within));
    }
    within.pop();
    Value::Object(fields)
}

/// Whether a field has an example that ends.
fn is_shown(field: &FieldDescriptor, within: &[String]) -> bool {
    let kind = field.kind();
    let value = match kind.as_message() {
        Some(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        _ => kind,
    };
    match value.as_message() {
        Some(inner) => within.len() < DEEPEST && !within.iter().any(|outer| outer == inner.full_name()),
        None => true,
    }
}

fn value(field: &FieldDescriptor, settings: Json, within: &mut Vec<String>) -> Value {
    let kind = field.kind();
    if let (true, Some(entry)) = (field.is_map(), kind.as_message()) {
        let key = match entry.map_entry_key_field().kind() {
            Kind::String => "key",
            Kind::Bool => "true",
            _ => "1",
        };
        return json!({key: single(&entry.map_entry_value_field().kind(), settings, within)});
    }
    let value = single(&kind, settings, within);
    if field.is_list() { json!([value]) } else { value }
}

fn single(kind: &Kind, settings: Json, within: &mut Vec<String>) -> Value {
    match kind {
        Kind::Double | Kind::Float => json!(1.5),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64 => json!("1"),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 | Kind::Uint32 | Kind::Fixed32 => json!(1),
        Kind::Bool => json!(true),
        Kind::String => json!("text"),
        Kind::Bytes => json!("aGVsbG8="),
        Kind::Message(inner) => of(inner, settings, within),
        Kind::Enum(values) if values.full_name() == "google.protobuf.NullValue" => Value::Null,
        // The first is `UNSPECIFIED` as a rule.
        Kind::Enum(values) => values.values().nth(1).unwrap_or_else(|| values.default_value()).name().into(),
    }
}

fn wrapped(special: &str, message: &MessageDescriptor, settings: Json, within: &mut Vec<String>) -> Value {
    match special {
        "Timestamp" => json!("2026-01-31T08:30:00Z"),
        "Duration" => json!("1.500s"),
        "FieldMask" => json!("name"),
        "Struct" => json!({"key": "value"}),
        "ListValue" => json!(["value"]),
        "Value" => json!("value"),
        "Empty" => json!({}),
        "Any" => json!({"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1.500s"}),
        _ => message.get_field_by_name("value").map_or(Value::Null, |value| single(&value.kind(), settings, within)),
    }
}
