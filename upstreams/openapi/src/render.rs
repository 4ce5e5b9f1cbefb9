//! An operation with values: path, query, headers and cookies.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::{
    error::Unfit,
    operation::{In, Operation, Parameter},
    path::{self, Piece},
    style::{self, Escape},
};

/// What of a request the parameters make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// Path and query below the server's URL.
    pub target: String,
    /// Headers that parameters stand in.
    pub headers: HeaderMap,
    /// `name=value` of each cookie.
    pub cookies: Vec<String>,
}

/// What becomes of slashes in values of a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Slashes {
    /// The value is refused: some services take `%2F` for a separator.
    #[default]
    Refused,
    /// They are sent as `%2F`.
    Encoded,
}

impl Operation {
    /// Writes the values of its parameters. `values` are in the order of [`parameters`](Self::parameters), null for those
    /// that have none.
    ///
    /// # Errors
    /// A required parameter is null, or a value can't stand where it has to.
    pub fn render(&self, values: &[Value], slashes: Slashes) -> Result<Rendered, Unfit> {
        let mut rendered = Rendered::default();
        let null = Value::Null;
        let given = || self.parameters.iter().zip(values.iter().chain(std::iter::repeat(&null)));
        if let Some((parameter, _)) = given().find(|(parameter, value)| parameter.required && value.is_null()) {
            return Err(parameter.missing());
        }
        for piece in &self.path.pieces {
            match piece {
                Piece::Literal(text) => rendered.target.push_str(text),
                Piece::Parameter(name) => {
                    let found = given().find(|(parameter, _)| parameter.place == In::Path && parameter.name == *name);
                    if let Some((parameter, value)) = found {
                        rendered.target.push_str(&parameter.segment(value, slashes)?);
                    }
                }
            }
        }
        if path::has_dots(&rendered.target) {
            let is_dots = |value: &Value| style::text(value).chars().all(|c| c == '.');
            let dots = given().find(|(parameter, value)| parameter.place == In::Path && is_dots(value));
            let name = dots.map(|(parameter, _)| parameter.name.clone()).unwrap_or_default();
            return Err(Unfit::Path { name, what: "`.` or `..` alone" });
        }
        let mut query = self.path.query.clone().unwrap_or_default();
        for (parameter, value) in given() {
            match parameter.place {
                In::Path => {}
                In::Query => {
                    for (name, value) in parameter.pairs(value) {
                        if !query.is_empty() {
                            query.push('&');
                        }
                        query.push_str(&name);
                        query.push('=');
                        query.push_str(&value);
                    }
                }
                In::Header => rendered.headers.extend(parameter.header(value)?),
                In::Cookie => {
                    let pairs = parameter.pairs(value).into_iter();
                    rendered.cookies.extend(pairs.map(|(name, value)| format!("{name}={value}")));
                }
            }
        }
        if !query.is_empty() {
            rendered.target.push('?');
            rendered.target.push_str(&query);
        }
        Ok(rendered)
    }
}

impl Parameter {
    /// The error of a call without it.
    pub(crate) fn missing(&self) -> Unfit {
        Unfit::Missing { name: self.name.clone(), place: self.place.as_str() }
    }

    /// A part of the path. A value that would lead to another resource is refused.
    fn segment(&self, value: &Value, slashes: Slashes) -> Result<String, Unfit> {
        let refused = |what| Unfit::Path { name: self.name.clone(), what };
        let has = |c: char| contains(value, c);
        if has('\\') || has('\0') {
            return Err(refused("a backslash or a NUL"));
        }
        if slashes == Slashes::Refused && has('/') && !self.is_json {
            return Err(refused("a slash"));
        }
        let segment = if self.is_json {
            style::escape(&value.to_string(), Escape::Percent).into_owned()
        } else {
            style::bare(self.style, self.explode, &self.name, value, Escape::Percent)
        };
        if segment.is_empty() {
            return Err(self.missing());
        }
        Ok(segment)
    }

    /// Name and value of each pair in a query or cookie, escaped.
    fn pairs(&self, value: &Value) -> Vec<(String, String)> {
        let how = if self.allow_reserved { Escape::Reserved } else { Escape::Percent };
        if self.is_json && !value.is_null() {
            return style::pairs(style::Style::Form, true, &self.name, &Value::String(value.to_string()), how);
        }
        style::pairs(self.style, self.explode, &self.name, value, how)
    }

    fn header(&self, value: &Value) -> Result<Option<(HeaderName, HeaderValue)>, Unfit> {
        if value.is_null() {
            return Ok(None);
        }
        let unfit = || Unfit::Header { name: self.name.clone() };
        let text = if self.is_json {
            value.to_string()
        } else {
            style::bare(self.style, self.explode, &self.name, value, Escape::No)
        };
        let name = HeaderName::try_from(&self.name).map_err(|_| unfit())?;
        let value = HeaderValue::try_from(text).map_err(|_| unfit())?;
        Ok(Some((name, value)))
    }
}

/// Whether any text of a value holds a character.
fn contains(value: &Value, c: char) -> bool {
    match value {
        Value::String(text) => text.contains(c),
        Value::Array(items) => items.iter().any(|item| contains(item, c)),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.contains(c) || contains(value, c)),
        _ => false,
    }
}
