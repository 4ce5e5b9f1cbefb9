//! Where the value of a parameter is looked for in a request.

use callgate_core::Discovered;
use callgate_openapi::{Found, In, Parameter};
use http::{HeaderMap, HeaderName, header};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Headers that say something of the message or of the way that it came: no parameter of another place is taken from
/// them.
const NEVER: [HeaderName; 14] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::AUTHORIZATION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::DATE,
    header::FORWARDED,
    header::HOST,
    header::ORIGIN,
    header::REFERER,
    header::USER_AGENT,
    header::VIA,
];

/// Names and values of a query, decoded. What can't be decoded is passed over.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    };
    let parts = query.split('&').filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        Some((decode(name)?, decode(value)?))
    };
    parts.filter_map(pair).collect()
}

/// A pair of a query, escaped.
pub(crate) fn pair(name: &str, value: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    format!("{}={}", utf8_percent_encode(name, UNRESERVED), utf8_percent_encode(value, UNRESERVED))
}

/// The value of a parameter in a query, as the operation's own clients would write it.
pub(crate) fn in_query(parameter: &Parameter, query: &[(String, String)]) -> Option<Value> {
    if parameter.is_deep() {
        return deep(parameter.name(), query);
    }
    let name = parameter.name();
    let is_named = |key: &str| key == name || key.strip_suffix("[]").is_some_and(|key| key == name);
    let values: Vec<_> = query.iter().filter(|(key, _)| is_named(key)).map(|(_, value)| value.clone()).collect();
    match values.as_slice() {
        [] => fields(parameter, query),
        [one] => Some(text(parameter, one)),
        many if is_list(parameter) => Some(many.to_vec().into()),
        [first, ..] => Some(text(parameter, first)),
    }
}

/// A text as the list or object that the parameter takes.
pub(crate) fn text(parameter: &Parameter, text: &str) -> Value {
    use callgate_openapi::Kind;
    if parameter.takes_json() {
        return serde_json::from_str(text).unwrap_or_else(|_| text.into());
    }
    let parts = || match parameter.delimiter() {
        Some(delimiter) => text.split(delimiter).collect::<Vec<_>>(),
        None => vec![text],
    };
    match parameter.kind() {
        Kind::Array(_) => parts().into(),
        // `{"R": 100}` as `R,100`, or `R=100`.
        Kind::Object(_) => match serde_json::from_str::<Map<String, Value>>(text) {
            Ok(object) => Value::Object(object),
            Err(_) => object(&parts()).unwrap_or_else(|| text.into()),
        },
        _ => text.into(),
    }
}

fn object(parts: &[&str]) -> Option<Value> {
    if parts.iter().all(|part| part.contains('=')) {
        let fields = parts.iter().filter_map(|part| part.split_once('='));
        return Some(Value::Object(fields.map(|(key, value)| (key.to_owned(), value.into())).collect()));
    }
    if !parts.len().is_multiple_of(2) {
        return None;
    }
    Some(Value::Object(parts.chunks(2).map(|pair| (pair[0].to_owned(), pair[1].into())).collect()))
}

fn is_list(parameter: &Parameter) -> bool {
    matches!(parameter.kind(), callgate_openapi::Kind::Array(_) | callgate_openapi::Kind::Any)
}

/// The fields of an exploded object, which stand in the query under their own names.
fn fields(parameter: &Parameter, query: &[(String, String)]) -> Option<Value> {
    let callgate_openapi::Kind::Object(known) = parameter.kind() else { return None };
    if parameter.place() != In::Query || parameter.delimiter().is_some() {
        return None;
    }
    let find = |name: &String| query.iter().find(|(key, _)| key == name).map(|(_, value)| Value::from(value.as_str()));
    let found: Map<_, _> = known.iter().filter_map(|(name, _)| Some((name.clone(), find(name)?))).collect();
    (!found.is_empty()).then_some(Value::Object(found))
}

/// `name[field][field]=value` as an object; a field of numbers only is a list.
fn deep(name: &str, query: &[(String, String)]) -> Option<Value> {
    let mut root = Value::Null;
    for (key, value) in query {
        let Some(path) = key.strip_prefix(name).filter(|path| path.starts_with('[') && path.ends_with(']')) else {
            continue;
        };
        let path: Vec<_> = path[1..path.len() - 1].split("][").collect();
        // Deeper than this no service reads, and a client must not make the gateway.
        if path.len() <= 8 {
            insert(&mut root, &path, value);
        }
    }
    (!root.is_null()).then(|| listed(root))
}

fn insert(at: &mut Value, path: &[&str], value: &str) {
    let Some((first, rest)) = path.split_first() else {
        *at = value.into();
        return;
    };
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    if let Value::Object(fields) = at {
        let key = if first.is_empty() { fields.len().to_string() } else { (*first).to_owned() };
        insert(fields.entry(key).or_insert(Value::Null), rest, value);
    }
}

fn listed(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let is_list = fields.keys().enumerate().all(|(index, key)| *key == index.to_string());
            if is_list {
                fields.into_iter().map(|(_, value)| listed(value)).collect()
            } else {
                Value::Object(fields.into_iter().map(|(key, value)| (key, listed(value))).collect())
            }
        }
        other => other,
    }
}

/// The value of a parameter in a header of its name.
pub(crate) fn in_headers(parameter: &Parameter, headers: &HeaderMap) -> Option<Value> {
    let name = HeaderName::try_from(parameter.name()).ok()?;
    if parameter.place() != In::Header && (NEVER.contains(&name) || name.as_str().starts_with("x-forwarded-")) {
        return None;
    }
    let lines: Vec<_> = headers.get_all(&name).iter().filter_map(|value| value.to_str().ok()).collect();
    if lines.is_empty() { None } else { Some(text(parameter, &lines.join(","))) }
}

/// The value of a cookie.
pub(crate) fn in_cookies(name: &str, headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// An operation as discovery lists it, with the templates that its parameters have without being written.
pub(crate) fn stub(found: &Found<'_>, operation: &callgate_openapi::Operation) -> Discovered {
    let parameters = operation.parameters().iter().map(|parameter| {
        let name = parameter.name();
        let lookup = |map: &str| {
            let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && !name.starts_with(|c: char| c.is_ascii_digit());
            if is_plain {
                format!("{map}.{name}")
            } else {
                format!("{map}[{}]", Value::from(name).to_string().replace('"', "'"))
            }
        };
        let lookup = match parameter.place() {
            In::Path => lookup("params"),
            In::Query => lookup("query"),
            In::Header => format!("headers['{}']", name.to_ascii_lowercase()),
            In::Cookie => return (name.to_owned(), Value::Null),
        };
        let template = if parameter.is_required() {
            format!("{{{{ {lookup} }}}}")
        } else {
            format!("{{{{ {lookup} if {lookup} is defined else none }}}}")
        };
        (name.to_owned(), template.into())
    });
    let parameters: Map<String, Value> = parameters.filter(|(_, template)| !template.is_null()).collect();
    let mut note = found.place();
    if let Some(summary) = operation.summary() {
        note.push_str(&format!(": {summary}"));
    }
    if let Some(body) = operation.body() {
        let media: Vec<_> = body.media().iter().map(callgate_openapi::Media::range).collect();
        note.push_str(&format!(" (body: {})", media.join(", ")));
    }
    let options = if parameters.is_empty() { Value::Null } else { Value::Object(parameters) };
    Discovered::new(operation.name()).with_note(note).with_option("parameters", options)
}

#[cfg(test)]
mod tests {
    use callgate_openapi::{Operation, Reading};
    use serde_json::json;

    use super::*;

    /// An operation with one parameter of each of these, named `p`.
    fn operation(parameter: &Value) -> Operation {
        let mut parameter = parameter.clone();
        parameter["name"] = "p".into();
        let get = json!({"operationId": "o", "parameters": [parameter]});
        let document = json!({"openapi": "3.0.0", "paths": {"/": {"get": get}}}).to_string();
        Reading::begin("t", &document).and_then(Reading::finish).unwrap().find("o").unwrap().read().unwrap()
    }

    fn queried(parameter: &Value, query: &str) -> Option<Value> {
        in_query(&operation(parameter).parameters()[0], &pairs(query))
    }

    #[test]
    fn lists_and_objects_are_read_as_the_operations_own_clients_write_them() {
        let list = json!({"in": "query", "schema": {"type": "array"}});
        assert_eq!(queried(&list, "p=a&p=b%20c"), Some(json!(["a", "b c"])));
        assert_eq!(queried(&list, "p[]=a"), Some(json!(["a"])));
        assert_eq!(queried(&list, "q=a"), None);
        let piped = json!({"in": "query", "style": "pipeDelimited", "schema": {"type": "array"}});
        assert_eq!(queried(&piped, "p=a%7Cb"), Some(json!(["a", "b"])));
        let object = json!({"in": "query", "schema": {"properties": {"a": {}, "b": {}}}});
        assert_eq!(queried(&object, "a=1&c=2"), Some(json!({"a": "1"})));
        let flat = json!({"in": "query", "explode": false, "schema": {"properties": {"a": {}}}});
        assert_eq!(queried(&flat, "p=a,1,b,2"), Some(json!({"a": "1", "b": "2"})));
        assert_eq!(queried(&flat, "p=a"), Some(json!("a")));
        let text = json!({"in": "query", "schema": {"type": "string"}});
        assert_eq!(queried(&text, "p=a,b&p=c"), Some(json!("a,b")));
    }

    #[test]
    fn deep_objects_are_read_as_far_as_they_are_sane() {
        let deep = json!({"in": "query", "style": "deepObject", "schema": {"type": "object"}});
        assert_eq!(
            queried(&deep, "p[a]=1&p[b][c]=2&p[l][0]=x&p[l][1]=y&p=no&px[a]=no"),
            Some(json!({"a": "1", "b": {"c": "2"}, "l": ["x", "y"]}))
        );
        assert_eq!(queried(&deep, &format!("p{}=1", "[a]".repeat(9))), None);
        assert_eq!(queried(&deep, "p[a]=1&p[a][b]=2"), Some(json!({"a": {"b": "2"}})));
    }

    #[test]
    fn only_parameters_that_are_headers_are_taken_from_headers_of_the_message() {
        let headers = HeaderMap::from_iter([(header::ACCEPT, "a/b".parse().unwrap())]);
        let of = |place: &str| {
            let get = json!({"operationId": "o", "parameters": [{"name": "Via", "in": place}]});
            let document = json!({"openapi": "3.0.0", "paths": {"/": {"get": get}}}).to_string();
            let operation =
                Reading::begin("t", &document).and_then(Reading::finish).unwrap().find("o").unwrap().read().unwrap();
            let mut headers = headers.clone();
            headers.insert(header::VIA, "1.1 x".parse().unwrap());
            in_headers(&operation.parameters()[0], &headers)
        };
        assert_eq!((of("header"), of("query")), (Some(json!("1.1 x")), None));
    }

    proptest::proptest! {
        #[test]
        fn no_query_panics(query in r"(p|\[|\]|a|=|&|%|,|0){0,30}") {
            for style in ["form", "deepObject", "pipeDelimited"] {
                queried(&json!({"in": "query", "style": style, "schema": {"type": "object"}}), &query);
            }
        }
    }
}
