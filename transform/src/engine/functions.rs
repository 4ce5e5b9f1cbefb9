//! Functions and filters that are neither text, encoding nor cryptography.

use jsonpath_rust::{parser::parse_json_path, query::js_path_process};
use minijinja::{
    Environment, Error, ErrorKind, Value,
    value::{Serde, ValueKind},
};
use time::{OffsetDateTime, format_description, format_description::well_known::Rfc3339};

use crate::{json::JsonOf, scope::is_missing};

pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_function("uuid", || uuid::Uuid::new_v4().to_string());
    environment.add_function("random_hex", random_hex);
    environment.add_function("now", || OffsetDateTime::now_utc().unix_timestamp());
    environment.add_function("env", env);
    environment.add_filter("format_time", format_time);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("as_list", as_list);
    environment.add_test("defined", |value: &Value| !is_missing(value));
    environment.add_test("undefined", is_missing);
    environment.add_filter("to_json", to_json);
    environment.add_filter("tojson", to_json);
    environment.add_filter("from_json", from_json);
    environment.add_filter("jsonpath", jsonpath);
}

pub(super) fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

fn random_hex(bytes: usize) -> Result<String, Error> {
    const LIMIT: usize = 1024;
    if bytes > LIMIT {
        return Err(invalid(format!("random_hex gives at most {LIMIT} bytes")));
    }
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|_| invalid("the system has no random bytes"))?;
    Ok(super::encoding::hex(&random))
}

/// The value, or the other one where it is undefined (or, on demand, false).
fn default(value: &Value, other: Option<Value>, or_false: Option<bool>) -> Value {
    if is_missing(value) || (or_false == Some(true) && !value.is_true()) {
        other.unwrap_or_else(|| Value::from(""))
    } else {
        value.clone()
    }
}

/// A list as it is, nothing as an empty one, and anything else as a list of one: what may be repeated is then a list
/// however often it comes.
fn as_list(value: &Value) -> Value {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => value.clone(),
        _ if is_missing(value) || value.is_none() => Value::from(Vec::<Value>::new()),
        _ => Value::from(vec![value.clone()]),
    }
}

/// The environment is what the operator set: its values are the operator's own.
fn env(name: &str) -> Value {
    #[expect(clippy::disallowed_methods, reason = "this is the language's own reference to the environment")]
    let value = std::env::var(name);
    value.map_or(Value::UNDEFINED, Value::from)
}

/// Seconds since 1970 as RFC 3339, or by a description such as `[year]-[month]-[day]`.
fn format_time(seconds: f64, description: Option<&str>) -> Result<String, Error> {
    let out_of_range = || invalid("the time is out of range");
    if !seconds.is_finite() || seconds.abs() > 1e12 {
        return Err(out_of_range());
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let nanoseconds = (seconds * 1e9) as i128;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).map_err(|_| out_of_range())?;
    let formatted = match description {
        None => time.format(&Rfc3339),
        Some(description) => {
            let description = format_description::parse_borrowed::<2>(description);
            time.format(&description.map_err(|error| invalid(format!("bad time format: {error}")))?)
        }
    };
    formatted.map_err(|error| invalid(format!("the time cannot be formatted: {error}")))
}

fn to_json(value: &Value) -> Result<String, Error> {
    serde_json::to_string(&JsonOf(value)).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

fn from_json(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text)
        .map_err(|error| invalid(format!("from_json: not JSON (line {}, column {})", error.line(), error.column())))
}

/// One node is its value, several are a list, none is undefined.
fn jsonpath(value: &Value, path: &str) -> Result<Value, Error> {
    // A path may come from a client too.
    const LIMIT: usize = 4096;
    if path.len() > LIMIT {
        return Err(invalid(format!("a JSONPath has at most {LIMIT} bytes")));
    }
    let query = parse_json_path(path).map_err(|error| invalid(format!("bad JSONPath: {error}")))?;
    if !matches!(value.kind(), ValueKind::Map | ValueKind::Seq | ValueKind::Iterable) {
        return Ok(Value::UNDEFINED);
    }
    let json = serde_json::to_value(JsonOf(value));
    let json = json.map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    let found = js_path_process(&query, &json).map_err(|error| invalid(error.to_string()))?;
    let found: Vec<_> = found.into_iter().map(|node| Value::from(Serde(node.val()))).collect();
    Ok(match <[Value; 1]>::try_from(found) {
        Ok([one]) => one,
        Err(none) if none.is_empty() => Value::UNDEFINED,
        Err(several) => Value::from(several),
    })
}
