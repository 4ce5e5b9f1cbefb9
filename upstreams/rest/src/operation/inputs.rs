//! The values of an operation's parameters and of its body, from a request.

use bytes::Bytes;
use callgate_core::{CallContext, UpstreamError};
use callgate_openapi::{In, Parameter};
use callgate_transform::{Scope, Shape};
use http::{HeaderMap, request::Parts};
use serde_json::Value;

use super::places;

/// Where a value comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A tree of templates.
    Template(Shape),
    /// The capture, the query, the header or the field of the JSON body of its name.
    Request,
}

/// A parameter's value. Texts of a request are read by the parameter's schema where the type matters.
#[derive(Debug, Clone)]
pub(crate) enum Given {
    Nothing,
    Typed(Value),
    Text(Value),
}

impl Given {
    /// The value as it is written into the request: texts stay as they came.
    pub(crate) fn written(&self, parameter: &Parameter) -> Value {
        match self {
            Self::Nothing => Value::Null,
            Self::Typed(value) => value.clone(),
            Self::Text(value) if parameter.takes_json() => parameter.kind().typed(value),
            Self::Text(value) => value.clone(),
        }
    }

    /// The value as schemas see it.
    pub(crate) fn meant(&self, parameter: &Parameter) -> Value {
        match self {
            Self::Nothing => Value::Null,
            Self::Typed(value) => value.clone(),
            Self::Text(value) => parameter.kind().typed(value),
        }
    }
}

/// What of a request is known without its body.
pub(crate) fn from_head(
    parameter: &Parameter,
    head: &Parts,
    query: &[(String, String)],
    context: &CallContext,
) -> Given {
    let captures = &context.exchange().facts().params;
    let captured = captures.get(parameter.name()).map(|text| places::text(parameter, text));
    let cookie = || {
        let value = places::in_cookies(parameter.name(), &head.headers).filter(|_| parameter.place() == In::Cookie)?;
        Some(places::text(parameter, &percent_encoding::percent_decode_str(&value).decode_utf8_lossy()))
    };
    captured
        .or_else(|| places::in_query(parameter, query))
        .or_else(|| places::in_headers(parameter, &head.headers))
        .or_else(cookie)
        .map_or(Given::Nothing, Given::Text)
}

/// The field of a JSON body.
pub(crate) fn from_body(parameter: &Parameter, body: &Value) -> Given {
    body.get(parameter.name())
        .filter(|value| !value.is_null())
        .map_or(Given::Nothing, |value| Given::Typed(value.clone()))
}

/// What a template renders; null is nothing.
pub(crate) fn from_template(shape: &Shape, scope: &Scope) -> Result<Given, UpstreamError> {
    let rendered = shape.render(scope);
    let value = rendered.map_err(|error| UpstreamError::unrendered("a parameter could not be rendered", error))?;
    Ok(match value {
        Value::Null => Given::Nothing,
        // A template that copies a text of the request is a text like it.
        value @ Value::String(_) => Given::Text(value),
        value => Given::Typed(value),
    })
}

/// A request's body as far as it was read.
#[derive(Debug, Default)]
pub(crate) struct ReadBody {
    pub(crate) bytes: Bytes,
    /// Whether there is one.
    pub(crate) is_there: bool,
}

/// Whether a request's body is JSON that can be read as it is.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    if headers.contains_key(http::header::CONTENT_ENCODING) {
        return false;
    }
    let Some(given) = content_type(headers) else { return true };
    let range = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    range == "application/json" || range.ends_with("+json")
}

pub(crate) fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
}
