//! JSON Schema (2020-12) of messages.

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::name;
use crate::{config::Json, json::special};

/// Schemas of messages, by their full names.
#[derive(Debug)]
pub(super) struct Schemas {
    pub(super) definitions: Map<String, Value>,
    settings: Json,
}

impl Schemas {
    pub(super) fn new(settings: Json) -> Self {
        Self { definitions: Map::new(), settings }
    }

    /// The name of a field.
    pub(super) fn name<'a>(&self, field: &'a FieldDescriptor) -> &'a str {
        if self.settings.proto_names { field.name() } else { field.json_name() }
    }

    /// A message, by reference where it is one of fields.
    pub(super) fn message(&mut self, message: &MessageDescriptor) -> Value {
        if let Some(special) = special(message.full_name()) {
            return self.special(special, message);
        }
        let name = name(message);
        if !self.definitions.contains_key(name) {
            // A message may lie in itself.
            self.definitions.insert(name.to_owned(), Value::Null);
            let mut properties = Map::new();
            let mut required = Vec::new();
            for field in message.fields() {
                let schema = self.field(&field);
                properties.insert(self.name(&field).to_owned(), schema);
                if field.is_required() {
                    required.push(self.name(&field).to_owned());
                }
            }
            let mut schema = json!({"type": "object", "properties": properties});
            if let Value::Object(schema) = &mut schema {
                if !required.is_empty() {
                    schema.insert("required".to_owned(), required.into());
                }
                if !self.settings.ignore_unknown {
                    schema.insert("additionalProperties".to_owned(), false.into());
                }
            }
            self.definitions.insert(name.to_owned(), schema);
        }
        json!({"$ref": format!("#/$defs/{name}")})
    }

    /// A field of a message.
    pub(super) fn field(&mut self, field: &FieldDescriptor) -> Value {
        let kind = field.kind();
        if let (true, Some(entry)) = (field.is_map(), kind.as_message()) {
            let values = self.kind(&entry.map_entry_value_field().kind());
            return json!({"type": "object", "additionalProperties": values});
        }
        let schema = self.kind(&kind);
        if field.is_list() { json!({"type": "array", "items": schema}) } else { schema }
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Double => json!({"type": "number", "format": "double"}),
            Kind::Float => json!({"type": "number", "format": "float"}),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({"type": "integer", "format": "int32"}),
            Kind::Uint32 | Kind::Fixed32 => json!({"type": "integer", "format": "uint32", "minimum": 0}),
            // As text, for the sake of those whose numbers are doubles.
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => json!({"type": "string", "format": "int64"}),
            Kind::Uint64 | Kind::Fixed64 => json!({"type": "string", "format": "uint64"}),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::String => json!({"type": "string"}),
            Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
            Kind::Message(message) => self.message(message),
            Kind::Enum(values) => self.values(values),
        }
    }

    fn values(&self, values: &EnumDescriptor) -> Value {
        if values.full_name() == "google.protobuf.NullValue" {
            return json!({"type": "null"});
        }
        if self.settings.enum_numbers {
            return json!({"enum": values.values().map(|value| value.number()).collect::<Vec<_>>()});
        }
        let names: Vec<_> = values.values().map(|value| value.name().to_owned()).collect();
        json!({"type": "string", "enum": names})
    }

    fn special(&mut self, special: &str, message: &MessageDescriptor) -> Value {
        match special {
            "Timestamp" => json!({"type": "string", "format": "date-time"}),
            "Duration" => json!({"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,9})?s$"}),
            "FieldMask" => json!({"type": "string"}),
            "Struct" => json!({"type": "object"}),
            "ListValue" => json!({"type": "array"}),
            "Value" => json!({}),
            "Empty" => json!({"type": "object", "additionalProperties": false}),
            "Any" => json!({"type": "object", "properties": {"@type": {"type": "string"}}, "required": ["@type"]}),
            // A wrapper is what it wraps.
            _ => match message.get_field_by_name("value") {
                Some(value) => self.kind(&value.kind()),
                None => json!({}),
            },
        }
    }
}
