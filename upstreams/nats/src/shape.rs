//! Messages as NATS holds them: pure shaping, no connection.

use std::error::Error;

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use callgate_core::{ErrorKind, UpstreamError};
use callgate_message::{Binding, Message};
use serde::{
    Deserialize,
    de::value::{self, StringDeserializer},
};

/// NATS's binding of CloudEvents, and the headers by which servers and clients act.
pub(crate) const BINDING: Binding = Binding {
    attributes: "ce-",
    also_understood: &[],
    escapes_attributes: true,
    repeats_content_type: true,
    reserved: &["nats-"],
};

/// Headers that NATS has no other place for.
const CONTENT: [&str; 2] = ["content-type", "content-encoding"];

/// Headers that most messages have, whose names the library need not look through.
const TRACE: [&str; 2] = ["traceparent", "tracestate"];

/// A message's headers and payload; without headers it needs no block for them.
pub(crate) type Parts = (Option<HeaderMap>, Bytes);

/// Puts a message into NATS's form. `own` are the protocol's headers, which are set last.
pub(crate) fn parts(message: Message, own: &[(&'static str, Option<&str>)]) -> Result<Parts, UpstreamError> {
    let mut headers = HeaderMap::new();
    let Message { headers: named, content_type, content_encoding, payload } = message;
    for (name, value) in CONTENT.into_iter().zip([content_type, content_encoding]) {
        if let Some(value) = value {
            headers.insert(HeaderName::from_static(name), checked(name, value)?);
        }
    }
    for (name, value) in named {
        let value = checked(&name, value)?;
        match TRACE.into_iter().find(|known| *known == name) {
            Some(known) => headers.append(HeaderName::from_static(known), value),
            None => headers.append(name, value),
        }
    }
    for (name, value) in own {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            headers.insert(HeaderName::from_static(name), checked(name, value.to_owned())?);
        }
    }
    Ok(((!headers.is_empty()).then_some(headers), payload))
}

/// The library looks through a value by its characters, which costs as much as all else of a header. So that is done here,
/// and the value is handed over as one that was stored before.
fn checked(name: &str, value: String) -> Result<HeaderValue, UpstreamError> {
    let refused = |source: Box<dyn Error + Send + Sync>| {
        UpstreamError::new(ErrorKind::BadInput, format!("`{name}` has a line break"))
            .with_detail("A value of the request does not fit into a header.")
            .with_source(source)
    };
    if memchr::memchr2(b'\r', b'\n', value.as_bytes()).is_some() {
        return value.parse::<HeaderValue>().map_err(|error| refused(error.into()));
    }
    HeaderValue::deserialize(StringDeserializer::<value::Error>::new(value)).map_err(|error| refused(error.into()))
}

/// A message of NATS in the form that all brokers share.
pub(crate) fn message(headers: Option<&HeaderMap>, payload: Bytes) -> Message {
    let mut message = Message { payload, ..Message::default() };
    for (name, values) in headers.into_iter().flat_map(HeaderMap::iter) {
        let name: &str = name.as_ref();
        for value in values {
            let value = value.as_str().to_owned();
            match CONTENT.iter().position(|known| known.eq_ignore_ascii_case(name)) {
                Some(0) => message.content_type = Some(value),
                Some(_) => message.content_encoding = Some(value),
                None => message.headers.push((name.to_owned(), value)),
            }
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_comes_back_as_it_was() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let sent = Message {
            headers: vec![pair("X-Tenant", "a"), pair("X-Tenant", "b"), pair("ce-id", "1")],
            content_type: Some("text/plain".to_owned()),
            content_encoding: Some("gzip".to_owned()),
            payload: Bytes::from_static(b"data"),
        };
        let (headers, payload) = parts(sent.clone(), &[]).unwrap();
        let mut read = message(headers.as_ref(), payload);
        read.headers.sort();
        assert_eq!(read, sent);
        assert!(parts(Message::default(), &[("Nats-Msg-Id", Some(""))]).unwrap().0.is_none());
    }

    #[test]
    fn the_protocols_own_headers_are_the_gateways() {
        let claimed = Message { headers: vec![("Nats-Msg-Id".to_owned(), "theirs".to_owned())], ..Message::default() };
        let (headers, _) = parts(claimed, &[("Nats-Msg-Id", Some("ours"))]).unwrap();
        let values: Vec<_> = headers.as_ref().unwrap().get_all("Nats-Msg-Id").map(|value| value.as_str()).collect();
        assert_eq!(values, ["ours"]);
        assert!(parts(Message::default(), &[("Nats-Msg-Id", Some("a\nb"))]).is_err());
    }

    proptest! {
        #[test]
        fn a_value_never_adds_a_header(value in "(?s).{0,20}") {
            let message = Message { headers: vec![("x".to_owned(), value)], ..Message::default() };
            if let Ok((headers, _)) = parts(message, &[]) {
                let headers = headers.unwrap();
                prop_assert_eq!(headers.len(), 1);
                prop_assert!(!headers.get("x").unwrap().as_str().contains(['\r', '\n']));
            }
        }
    }
}
