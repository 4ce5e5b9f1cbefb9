//! Forms as `application/x-www-form-urlencoded`.

use std::{borrow::Cow, sync::Arc};

use minijinja::{Error, ErrorKind, Value};

use super::Grouped;
use crate::query;

/// A form as an object; a name that is repeated has a list. A value with an invalid escape is an error for whoever
/// reads it.
pub(crate) fn parse_form(bytes: &[u8]) -> Result<Value, Arc<str>> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the form is not UTF-8 text")?;
    let mut fields = Grouped::default();
    for (name, value) in query::pairs(text) {
        let name = query::decode(name).unwrap_or(Cow::Borrowed(name)).into_owned();
        let value = match query::decode(value) {
            Ok(value) => Value::from(value),
            Err(error) => Value::from(Error::new(ErrorKind::InvalidOperation, error.to_string())),
        };
        fields.push(name, value);
    }
    Ok(fields.into_value())
}
