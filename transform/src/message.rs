//! A message as templates and edits see it: head and body, of a request or a response.

use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};

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
    pub(crate) fn of_request(method: &Method, uri: &Uri, headers: &HeaderMap, payload: Payload) -> Self {
        Self { method: method.clone(), uri: uri.clone(), headers: headers.clone(), payload, ..Self::default() }
    }

    /// Moves a request out of where it is; [`Self::give_back_request`] returns it.
    pub(crate) fn take_request<B>(request: &mut Request<B>, payload: &mut Payload) -> Self {
        Self {
            method: std::mem::take(request.method_mut()),
            uri: std::mem::take(request.uri_mut()),
            headers: std::mem::take(request.headers_mut()),
            payload: std::mem::take(payload),
            ..Self::default()
        }
    }

    pub(crate) fn give_back_request<B>(self, request: &mut Request<B>, payload: &mut Payload) {
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        *payload = self.payload;
    }

    /// Moves a response out of where it is; [`Self::give_back_response`] returns it.
    pub(crate) fn take_response<B>(response: &mut Response<B>, payload: &mut Payload) -> Self {
        Self {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            payload: std::mem::take(payload),
            ..Self::default()
        }
    }

    pub(crate) fn give_back_response<B>(self, response: &mut Response<B>, payload: &mut Payload) {
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        *payload = self.payload;
    }

    /// The first value of a header as text. A name may have `_` for `-`, as template attributes cannot have dashes.
    pub(crate) fn header(&self, name: &str) -> Option<&http::HeaderValue> {
        self.headers.get(name).or_else(|| name.contains('_').then(|| self.headers.get(name.replace('_', "-")))?)
    }
}
