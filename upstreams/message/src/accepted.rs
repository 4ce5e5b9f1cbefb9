//! The answer to a client whose message was taken.

use bytes::Bytes;
use callgate_core::{Body, CallContext, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

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
    pub fn into_response(self, context: &CallContext, told: Map<String, Value>) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        if self.status == StatusCode::NO_CONTENT {
            return response;
        }
        let body = self.body.unwrap_or_else(|| {
            let mut all = Map::new();
            all.insert("id".to_owned(), context.request_id().to_string().into());
            all.extend(told);
            Value::Object(all).to_string().into()
        });
        *response.body_mut() = Body::from(body);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
