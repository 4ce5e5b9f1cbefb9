//! Values of simple types.

use std::borrow::Cow;

use callgate_transform::xml::Place;
use serde_json::{Number, Value};

use super::{Encoder, Mismatch};
use crate::xsd::{Builtin, Form, Schema, Simple};

/// Whole numbers that a float holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Encoder<'_> {
    /// Writes the value of a simple type.
    pub(super) fn scalar(&mut self, simple: &Simple, value: &Value, place: Place) -> Result<(), Mismatch> {
        let text = text_of(simple, value, self.schema)?;
        self.escape(&text, place)
    }
}

/// The text of a value, which the type allows.
fn text_of<'v>(simple: &Simple, value: &'v Value, schema: &Schema) -> Result<Cow<'v, str>, Mismatch> {
    let text = match &simple.form {
        Form::Atomic(builtin) => atomic(*builtin, value)?,
        Form::List(item) => match value {
            Value::Array(items) => {
                let mut text = String::new();
                for (at, value) in items.iter().enumerate() {
                    let item = match schema.simple(*item) {
                        Some(simple) => text_of(simple, value, schema),
                        None => Err(Mismatch::wanted("a single value")),
                    };
                    let item = item.map_err(|mismatch| mismatch.below_item("", at))?;
                    if item.is_empty() || item.contains(char::is_whitespace) {
                        return Err(
                            Mismatch::wanted("without spaces, which separate the values of a list").below_item("", at)
                        );
                    }
                    if !text.is_empty() {
                        text.push(' ');
                    }
                    text.push_str(&item);
                }
                Cow::Owned(text)
            }
            Value::String(text) => Cow::Borrowed(text.as_str()),
            _ => return Err(Mismatch::wanted("a list of values")),
        },
        Form::Union(members) => {
            let mut first = None;
            let fits = members.iter().filter_map(|id| schema.simple(*id)).find_map(|member| {
                text_of(member, value, schema).map_err(|mismatch| first.get_or_insert(mismatch).clone()).ok()
            });
            match (fits, first) {
                (Some(text), _) => text,
                (None, Some(mismatch)) => return Err(mismatch),
                (None, None) => atomic(Builtin::Text("anySimpleType"), value)?,
            }
        }
    };
    simple.check(&text, schema).map_err(|wanted| Mismatch::wanted(&wanted))?;
    Ok(text)
}

fn atomic(builtin: Builtin, value: &Value) -> Result<Cow<'_, str>, Mismatch> {
    let wanted = |what: &str| Err(Mismatch::wanted(what));
    match (builtin, value) {
        (_, Value::Array(_) | Value::Object(_)) => wanted("a single value"),
        // What a template took from a path or a query is text, whatever it looks like.
        (Builtin::Text(_), Value::String(text)) => Ok(text.as_str().into()),
        (_, Value::String(text)) => Ok(text.trim().into()),
        (Builtin::Boolean | Builtin::Text("anySimpleType"), Value::Bool(value)) => {
            Ok(if *value { "true" } else { "false" }.into())
        }
        (Builtin::Integer(..), Value::Number(number)) => match whole(number) {
            Some(text) => Ok(text.into()),
            None => wanted("a whole number, as text if it has more than 15 digits"),
        },
        (Builtin::Decimal, Value::Number(number)) => Ok(plain(number).into()),
        (Builtin::Float(_) | Builtin::Text("anySimpleType"), Value::Number(number)) => Ok(number.to_string().into()),
        (Builtin::Boolean, _) => wanted("true or false"),
        (Builtin::Integer(..) | Builtin::Decimal | Builtin::Float(_), _) => wanted("a number"),
        (Builtin::Text(_) | Builtin::Base64 | Builtin::Hex | Builtin::Date | Builtin::Time | Builtin::DateTime, _) => {
            wanted("text")
        }
    }
}

/// A number without a fraction.
fn whole(number: &Number) -> Option<String> {
    if number.is_i64() || number.is_u64() {
        return Some(number.to_string());
    }
    let value = number.as_f64().filter(|value| value.fract() == 0.0 && value.abs() < EXACT)?;
    Some(format!("{value:.0}"))
}

/// A number without an exponent, which decimals don't have.
fn plain(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => format!("{value}"),
        _ => number.to_string(),
    }
}
