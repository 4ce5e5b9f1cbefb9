//! The answer to a client whose message was taken.

use bytes::Bytes;
use callgate_core::{Body, CallContext, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

/// What a client is answered once the broker has taken its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub(crate) status: StatusCode,
    /// What the function says, rendered.
    pub(crate) body: Option<Bytes>,
}

impl Accepted {
    /// The response. Where the function says no body, it is `{id}`, the request's id, with what the broker `told`.
    #[must_use]
    pub fn into_response<N: AsRef<str>>(
        self,
        context: &CallContext,
        told: impl IntoIterator<Item = (N, Value)>,
    ) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        if self.status == StatusCode::NO_CONTENT {
            return response;
        }
        let body = self.body.unwrap_or_else(|| document(context.request_id().as_str(), told).into());
        *response.body_mut() = Body::from(body);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// An object, written at once: a tree of values would cost more than the answer.
fn document<N: AsRef<str>>(id: &str, told: impl IntoIterator<Item = (N, Value)>) -> Vec<u8> {
    let mut document = Vec::with_capacity(64);
    document.extend_from_slice(b"{\"id\":\"");
    // Ids are visible ASCII; those that are made here have nothing to escape.
    if id.contains('"') || id.contains('\\') {
        document.extend(id.bytes().flat_map(|byte| {
            let escape = matches!(byte, b'"' | b'\\').then_some(b'\\');
            escape.into_iter().chain([byte])
        }));
    } else {
        document.extend_from_slice(id.as_bytes());
    }
    document.push(b'"');
    for (name, value) in told {
        document.push(b',');
        write(&mut document, name.as_ref());
        document.push(b':');
        write(&mut document, &value);
    }
    document.push(b'}');
    document
}

fn write(document: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    // Text and values of JSON can always be written to memory.
    serde_json::to_writer(document, value).ok();
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_answer_is_an_object_whatever_the_names_and_values() {
        let told = [("sequence", json!(7)), ("a\"b", json!(["\n"]))];
        let written: Value = serde_json::from_slice(&document("i\\d", told)).unwrap();
        assert_eq!(written, json!({"id": "i\\d", "sequence": 7, "a\"b": ["\n"]}));
        let nothing: [(&str, Value); 0] = [];
        assert_eq!(document("1", nothing), br#"{"id":"1"}"#);
    }
}
