//! The whole request as JSON.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::whole::Whole;

/// The whole request as JSON. Names of the query and of headers have lists, as both may be repeated; a body that is
/// no UTF-8 is base64.
pub(crate) fn of(whole: &Whole) -> Bytes {
    let (head, context) = (whole.head(), whole.context());
    let mut headers = Map::new();
    for (name, value) in &head.headers {
        push(&mut headers, name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    let mut query = Map::new();
    for (name, value) in pairs(head.uri.query().unwrap_or_default()) {
        push(&mut query, &name, value);
    }
    let (text, is_base64) = match std::str::from_utf8(whole.body()) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(whole.body()), true),
    };
    let envelope = json!({
        "id": context.request_id().to_string(),
        "route": &*context.route().name,
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": query,
        "headers": headers,
        "body": text,
        "is_base64": is_base64,
    });
    envelope.to_string().into()
}

fn push(map: &mut Map<String, Value>, name: &str, value: String) {
    match map.get_mut(name) {
        Some(Value::Array(values)) => values.push(value.into()),
        _ => drop(map.insert(name.to_owned(), json!([value]))),
    }
}

/// Name and value of each part of a query, decoded; what is no UTF-8 after decoding is replaced.
fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    query.split('&').filter(|part| !part.is_empty()).map(move |part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name), decode(value))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn query_parts_are_decoded() {
        let decoded: Vec<_> = pairs("a=1&a=x%20y&b&&c=1+2").collect();
        let expected = [("a", "1"), ("a", "x y"), ("b", ""), ("c", "1 2")];
        assert_eq!(decoded, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    proptest! {
        #[test]
        fn any_query_has_parts(query in "\\PC{0,40}") {
            drop(pairs(&query).collect::<Vec<_>>());
        }
    }
}
