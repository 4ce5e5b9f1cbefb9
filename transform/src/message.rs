//! A message as templates and edits see it: head and body, of a request or a response.

use http::{HeaderMap, Method, StatusCode, Uri};

use crate::payload::Payload;

/// The parts of a request or a response that steps read and edit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Payload,
}

impl Message {
    /// A copy of a request.
    pub(crate) fn of_request(parts: &http::request::Parts, payload: Payload) -> Self {
        Self {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            headers: parts.headers.clone(),
            payload,
            ..Self::default()
        }
    }

    /// Moves a request out of its parts; [`Self::give_back_request`] returns it.
    pub(crate) fn take_request(parts: &mut http::request::Parts, payload: &mut Payload) -> Self {
        Self {
            method: std::mem::take(&mut parts.method),
            uri: std::mem::take(&mut parts.uri),
            headers: std::mem::take(&mut parts.headers),
            payload: std::mem::take(payload),
            ..Self::default()
        }
    }

    pub(crate) fn give_back_request(self, parts: &mut http::request::Parts, payload: &mut Payload) {
        parts.method = self.method;
        parts.uri = self.uri;
        parts.headers = self.headers;
        *payload = self.payload;
    }

    /// Moves a response out of its parts; [`Self::give_back_response`] returns it.
    pub(crate) fn take_response(parts: &mut http::response::Parts, payload: &mut Payload) -> Self {
        Self {
            status: parts.status,
            headers: std::mem::take(&mut parts.headers),
            payload: std::mem::take(payload),
            ..Self::default()
        }
    }

    pub(crate) fn give_back_response(self, parts: &mut http::response::Parts, payload: &mut Payload) {
        parts.status = self.status;
        parts.headers = self.headers;
        *payload = self.payload;
    }

    /// The first value of a header as text. A name may have `_` for `-`, as template attributes cannot have dashes.
    pub(crate) fn header(&self, name: &str) -> Option<&http::HeaderValue> {
        self.headers.get(name).or_else(|| name.contains('_').then(|| self.headers.get(name.replace('_', "-")))?)
    }
}
