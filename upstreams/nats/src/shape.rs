//! A request as a message: pure shaping, no connection.

use async_nats::{HeaderMap as NatsHeaders, HeaderValue as NatsValue};
use bytes::Bytes;
use callgate_core::{CallContext, ErrorKind, UpstreamError};
use callgate_transform::Glob;
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use serde_json::{Map, Value, json};

/// Headers that always go along, so that a subscriber can read the payload and go on with the trace.
const ALWAYS: [&str; 3] = ["content-type", "traceparent", "tracestate"];
/// Headers that a client could make the server or a stream act by; only the gateway sets them.
const RESERVED: &str = "nats-";

/// What is published.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) headers: NatsHeaders,
    pub(crate) payload: Bytes,
}

impl Message {
    /// The headers, where there are any: a message without needs no block for them.
    pub(crate) fn into_parts(self) -> (Option<NatsHeaders>, Bytes) {
        ((!self.headers.is_empty()).then_some(self.headers), self.payload)
    }
}

/// The request's headers that go along.
pub(crate) fn forwarded(headers: &HeaderMap, globs: &[Glob]) -> NatsHeaders {
    let mut forwarded = NatsHeaders::new();
    for (name, value) in headers {
        let wanted = ALWAYS.contains(&name.as_str())
            || (!name.as_str().starts_with(RESERVED) && globs.iter().any(|glob| glob.matches(name.as_str())));
        if let Some(value) = value.to_str().ok().filter(|_| wanted) {
            forwarded.append(name.as_str(), value);
        }
    }
    forwarded
}

/// Sets a header to a rendered value.
pub(crate) fn set(headers: &mut NatsHeaders, name: &HeaderName, value: &str) -> Result<(), UpstreamError> {
    let value: NatsValue = value.parse().map_err(|error| {
        UpstreamError::new(ErrorKind::BadInput, format!("the header `{name}` was rendered with a line break"))
            .with_detail("A value of the request does not fit into a header.")
            .with_source(error)
    })?;
    headers.insert(name.as_str(), value);
    Ok(())
}

/// The key by which a client marks a request that it may repeat.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Option<String> {
    headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned)
}

/// Sets what JetStream looks at when it takes a message.
pub(crate) fn deduplicate(
    headers: &mut NatsHeaders,
    id: Option<&str>,
    stream: Option<&str>,
) -> Result<(), UpstreamError> {
    for (name, value) in [("Nats-Msg-Id", id), ("Nats-Expected-Stream", stream)] {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        let value: NatsValue = value.parse().map_err(|error| {
            UpstreamError::new(ErrorKind::BadInput, format!("`{name}` was rendered with a line break"))
                .with_detail("A value of the request does not fit into a message's id.")
                .with_source(error)
        })?;
        headers.insert(name, value);
    }
    Ok(())
}

/// The whole request as JSON. Names of the query and of headers have lists, as both may be repeated; a body that is
/// no UTF-8 is base64.
pub(crate) fn envelope(head: &Parts, body: &Bytes, context: &CallContext) -> Bytes {
    let mut headers = Map::new();
    for (name, value) in &head.headers {
        push(&mut headers, name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    let mut query = Map::new();
    for (name, value) in pairs(head.uri.query().unwrap_or_default()) {
        push(&mut query, &name, value);
    }
    let (text, is_base64) = match std::str::from_utf8(body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (base64(body), true),
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

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(bytes)
}

/// The response's headers for a reply's: what is the protocol's own, or would break the HTTP message, stays behind.
pub(crate) fn response_headers(headers: &NatsHeaders, response: &mut HeaderMap) {
    for (name, values) in headers.iter() {
        let Ok(name) = HeaderName::try_from(AsRef::<str>::as_ref(name)) else { continue };
        let hop = [
            header::CONNECTION,
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::UPGRADE,
            header::TE,
            header::TRAILER,
            header::HOST,
        ];
        if name.as_str().starts_with(RESERVED) || name.as_str() == "keep-alive" || hop.contains(&name) {
            continue;
        }
        for value in values.iter().filter_map(|value| HeaderValue::try_from(value.as_str()).ok()) {
            response.append(name.clone(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_chosen_headers_go_along_and_none_of_the_servers_own() {
        let mut headers = HeaderMap::new();
        for name in ["content-type", "x-tenant", "authorization", "nats-msg-id", "traceparent"] {
            headers.append(name, HeaderValue::from_static("v"));
        }
        headers.append("x-tenant", HeaderValue::from_static("w"));
        let sent = forwarded(&headers, &[Glob::new("x-*"), Glob::new("nats-*")]);
        let names: Vec<_> = sent.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        let tenants: Vec<_> = sent.get_all("x-tenant").map(|value| value.as_str().to_owned()).collect();
        assert_eq!(tenants, ["v", "w"]);
        assert!(sent.get("authorization").is_none() && sent.get("nats-msg-id").is_none());
    }

    #[test]
    fn a_value_cannot_add_a_header() {
        let mut headers = NatsHeaders::new();
        let name = HeaderName::from_static("x-a");
        assert_eq!(set(&mut headers, &name, "a\r\nNats-Msg-Id: 1").unwrap_err().kind(), ErrorKind::BadInput);
        assert!(deduplicate(&mut headers, Some("a\nb"), None).is_err());
        assert!(headers.is_empty());
    }

    #[test]
    fn a_replys_protocol_headers_stay_behind() {
        let mut reply = NatsHeaders::new();
        for name in ["X-Kind", "Connection", "Content-Length", "Nats-Service-Error", "Content-Type"] {
            reply.append(name, "v");
        }
        let mut response = HeaderMap::new();
        response_headers(&reply, &mut response);
        let mut names: Vec<_> = response.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-type", "x-kind"]);
    }

    #[test]
    fn query_parts_are_decoded() {
        let decoded: Vec<_> = pairs("a=1&a=x%20y&b&&c=1+2").collect();
        let expected = [("a", "1"), ("a", "x y"), ("b", ""), ("c", "1 2")];
        assert_eq!(decoded, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    proptest! {
        #[test]
        fn shaping_never_panics(query in "\\PC{0,40}", value in proptest::collection::vec(any::<u8>(), 0..40)) {
            drop(pairs(&query).collect::<Vec<_>>());
            let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
            let request = Request::get("/").header("x-any", value).body(()).unwrap();
            drop(forwarded(request.headers(), &[Glob::new("*")]));
        }
    }
}
