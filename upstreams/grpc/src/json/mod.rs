//! Messages as JSON and back, by the JSON mapping of protobuf (<https://protobuf.dev/programming-guides/json/>).

mod encode;
mod read;
mod scalar;
mod strict;
#[cfg(test)]
mod tests;
mod text;
mod unfit;

pub(crate) use encode::{Writing, to_json, write, write_field};
pub(crate) use read::{Reading, field, message, set as set_field};
pub(crate) use strict::parse;
pub(crate) use text::{Given, is_text, resolve, set};
pub(crate) use unfit::{Unfit, some_of};

/// The types whose JSON is not that of a message of their fields.
const SPECIAL: [&str; 17] = [
    "Any",
    "BoolValue",
    "BytesValue",
    "DoubleValue",
    "Duration",
    "Empty",
    "FieldMask",
    "FloatValue",
    "Int32Value",
    "Int64Value",
    "ListValue",
    "StringValue",
    "Struct",
    "Timestamp",
    "UInt32Value",
    "UInt64Value",
    "Value",
];

/// The name of a type with JSON of its own, without its package.
pub(crate) fn special(full_name: &str) -> Option<&str> {
    full_name.strip_prefix("google.protobuf.").filter(|name| SPECIAL.contains(name))
}
