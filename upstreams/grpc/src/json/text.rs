//! Fields that are given as text: by captures of the path and names of the query.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde_json::Value as Json;

use super::{
    read::{Reading, is_wrapper, message as read_message, named, set as set_field, unknown},
    scalar, special,
    unfit::Unfit,
};

/// How deep a name may lead. Messages that lie deeper can't be decoded by others either.
const DEEPEST: usize = 32;

/// A field that a name such as `user.address.city` leads to: the messages on the way, and the field.
pub(crate) struct Given {
    way: Vec<FieldDescriptor>,
    field: FieldDescriptor,
}

impl Given {
    /// Whether it may be given more than once.
    pub(crate) fn is_list(&self) -> bool {
        self.field.is_list()
    }

    /// Whether it is this field of the message, or lies in it.
    pub(crate) fn is_below(&self, field: &FieldDescriptor) -> bool {
        self.way.first().unwrap_or(&self.field).number() == field.number()
    }

    /// The field.
    pub(crate) fn field(&self) -> &FieldDescriptor {
        &self.field
    }

    /// Its name, with those of the messages that it lies in.
    pub(crate) fn name(&self) -> String {
        let parts = self.way.iter().chain([&self.field]).map(FieldDescriptor::name);
        parts.collect::<Vec<_>>().join(".")
    }
}

/// Looks a name up. Its last part has to be a value that a text can be.
pub(crate) fn resolve(descriptor: &MessageDescriptor, name: &str) -> Result<Given, Unfit> {
    let mut current = descriptor.clone();
    let mut way = Vec::new();
    let mut parts = name.split('.').peekable();
    while let Some(part) = parts.next() {
        let wrong = |unfit: Unfit| {
            way.iter().rev().fold(unfit, |unfit, field: &FieldDescriptor| unfit.below(field.json_name()))
        };
        let field = named(&current, part).ok_or_else(|| wrong(unknown(&current, part)))?;
        if parts.peek().is_none() {
            if !is_text(&field) {
                return Err(wrong(Unfit::new("can't be given as text").below(part)));
            }
            return Ok(Given { way, field });
        }
        match field.kind() {
            Kind::Message(inner) if !field.is_list() && !field.is_map() && special(inner.full_name()).is_none() => {
                current = inner;
            }
            _ => return Err(wrong(Unfit::new("has no fields that could be named").below(part))),
        }
        if way.len() == DEEPEST {
            return Err(Unfit::new("leads too deep").below(name));
        }
        way.push(field);
    }
    Err(Unfit::new("names no field"))
}

/// Sets a field, or adds to it where it is a list.
pub(crate) fn set(message: &mut DynamicMessage, given: &Given, text: &str, how: Reading) -> Result<(), Unfit> {
    let place = |unfit: Unfit| {
        let parts = std::iter::once(&given.field).chain(given.way.iter().rev());
        parts.fold(unfit, |unfit, field| unfit.below(field.json_name()))
    };
    let Some(value) = value(&given.field.kind(), text, how).map_err(place)? else { return Ok(()) };
    let mut message = message;
    for field in &given.way {
        let Some(inner) = message.get_field_mut(field).as_message_mut() else {
            return Err(place(Unfit::new("does not fit")));
        };
        message = inner;
    }
    if given.field.is_list() {
        if let Some(list) = message.get_field_mut(&given.field).as_list_mut() {
            list.push(value);
        }
        return Ok(());
    }
    set_field(message, &given.field, value).map_err(place)
}

/// Whether a text can be a value of this field.
pub(crate) fn is_text(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Message(_) if field.is_map() => false,
        Kind::Message(descriptor) => {
            is_wrapper(&descriptor)
                || matches!(special(descriptor.full_name()), Some("Timestamp" | "Duration" | "FieldMask" | "Value"))
        }
        _ => true,
    }
}

fn value(kind: &Kind, text: &str, how: Reading) -> Result<Option<Value>, Unfit> {
    let json = || Json::String(text.to_owned());
    match kind {
        Kind::Bool => scalar::scalar(kind, &boolean(text), how.ignore_unknown),
        Kind::Enum(descriptor) if descriptor.get_value_by_name(text).is_none() => {
            let number = text.parse::<i32>().map(Json::from).unwrap_or_else(|_| json());
            scalar::scalar(kind, &number, how.ignore_unknown)
        }
        Kind::Message(descriptor) => {
            let json = if descriptor.full_name() == "google.protobuf.BoolValue" { boolean(text) } else { json() };
            read_message(descriptor, &json, how).map(|message| Some(Value::Message(message)))
        }
        kind => scalar::scalar(kind, &json(), how.ignore_unknown),
    }
}

fn boolean(text: &str) -> Json {
    match text {
        "true" => true.into(),
        "false" => false.into(),
        other => other.into(),
    }
}
