//! A message as brokers hold it.

use bytes::Bytes;
use callgate_core::{Body, MOST_HEADERS};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header, response};

use crate::{binding::Binding, event, headers};

/// What a broker holds of a message, whatever its protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Names and values, in their order; a name may be there several times.
    pub headers: Vec<(String, String)>,
    /// The media type of the payload.
    pub content_type: Option<String>,
    /// The coding of the payload: `gzip`.
    pub content_encoding: Option<String>,
    /// The payload.
    pub payload: Bytes,
}

impl Message {
    /// The value of a header, in whatever case its name is written.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The request for a message that came in: POST with its payload. A CloudEvent's attributes become the headers of
    /// CloudEvents over HTTP; headers of the protocol and of connections, and what no header of HTTP can be, stay behind.
    #[must_use]
    pub fn into_request(self, binding: &Binding, target: Uri) -> Request<Body> {
        let (headers, payload) = self.into_http(binding);
        let mut request = Request::new(Body::from(payload));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target;
        *request.headers_mut() = headers;
        request
    }

    /// The response for a message that is the reply to a request; as [`Self::into_request`].
    #[must_use]
    pub fn into_response(self, binding: &Binding, status: StatusCode) -> Response<Bytes> {
        let (headers, payload) = self.into_http(binding);
        let mut response = Response::new(payload);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// The reply for a response whose body was read whole. Its headers go along, but for those of a connection.
    #[must_use]
    pub fn of_response(binding: &Binding, head: &response::Parts, payload: Bytes) -> Self {
        let mut message = Self { payload, ..Self::default() };
        for (name, value) in headers::of_http(&head.headers, binding, |_| true) {
            message.push(name, value);
        }
        message
    }

    fn into_http(self, binding: &Binding) -> (HeaderMap, Bytes) {
        let mut map = HeaderMap::with_capacity(self.headers.len().min(MOST_HEADERS) + 2);
        if self.headers.len() > MOST_HEADERS {
            let headers = self.headers.len();
            tracing::warn!(headers, most = MOST_HEADERS, "A message has too many headers; the last ones are left out.");
        }
        for (name, value) in self.headers.iter().take(MOST_HEADERS) {
            if let Some(attribute) = binding.attribute(name) {
                event::into_http(attribute, value, binding, &mut map);
                continue;
            }
            let Ok(name) = HeaderName::try_from(name) else { continue };
            if headers::is_of_http(name.as_str()) || binding.is_reserved(name.as_str()) {
                continue;
            }
            if let Ok(value) = HeaderValue::try_from(value) {
                map.append(name, value);
            }
        }
        for (name, value) in
            [(header::CONTENT_TYPE, self.content_type), (header::CONTENT_ENCODING, self.content_encoding)]
        {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                map.insert(name, value);
            }
        }
        (map, self.payload)
    }

    /// Adds a header; content type and coding have places of their own.
    pub(crate) fn push(&mut self, name: &str, value: String) {
        match name {
            "content-type" => self.content_type = Some(value),
            "content-encoding" => self.content_encoding = Some(value),
            _ => self.headers.push((name.to_owned(), value)),
        }
    }

    /// Sets a header, instead of those of this name.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        if name.eq_ignore_ascii_case("content-type") {
            self.content_type = Some(value);
        } else if name.eq_ignore_ascii_case("content-encoding") {
            self.content_encoding = Some(value);
        } else {
            self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            self.headers.push((name.to_owned(), value));
        }
    }

    /// The message as text, for previews: `heads` first, then its headers by name, an empty line and the payload.
    #[must_use]
    pub fn to_text(&self, heads: &[(&str, &str)]) -> String {
        let mut lines: Vec<_> = self.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        lines.extend(self.content_type.iter().map(|value| format!("content-type: {value}\n")));
        lines.extend(self.content_encoding.iter().map(|value| format!("content-encoding: {value}\n")));
        lines.sort_unstable();
        let mut text: String = heads.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        text.extend(lines);
        text.push('\n');
        text.push_str(&String::from_utf8_lossy(&self.payload));
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::form::tests::NATS;

    fn message(headers: &[(&str, &str)]) -> Message {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Message { headers: headers.collect(), payload: Bytes::from_static(b"data"), ..Message::default() }
    }

    #[test]
    fn a_message_becomes_a_request() {
        let mut message = message(&[
            ("X-Tenant", "acme"),
            ("x-tenant", "other"),
            ("Nats-Msg-Id", "1"),
            ("Connection", "close"),
            ("content-length", "9"),
            ("no name", "x"),
            ("x-broken", "a\nb"),
            ("callgate-reason", "function_error"),
        ]);
        message.content_type = Some("text/plain".to_owned());
        let request = message.into_request(&NATS, Uri::from_static("/work"));
        assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/work"));
        let mut names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["callgate-reason", "content-type", "x-tenant"]);
        assert_eq!(request.headers().get_all("x-tenant").iter().count(), 2);
        assert_eq!(request.body().as_bytes(), Some(&b"data"[..]));
    }

    #[test]
    fn of_very_many_headers_the_first_are_taken() {
        let headers = (0..40_000).map(|number| (format!("x-{number}"), "1".to_owned())).collect();
        let response = Message { headers, ..Message::default() }.into_response(&NATS, StatusCode::OK);
        assert_eq!(response.headers().len(), MOST_HEADERS);
        assert!(response.headers().contains_key("x-0"));
    }

    #[test]
    fn an_event_keeps_its_attributes_as_http_has_them() {
        let binding = Binding { attributes: "cloudEvents_", escapes_attributes: false, ..NATS };
        let sent = [
            ("cloudEvents_specversion", "1.0"),
            ("cloudEvents_id", "e 1"),
            ("cloudEvents_datacontenttype", "text/plain"),
        ];
        let response = message(&sent).into_response(&binding, StatusCode::OK);
        assert_eq!(response.headers()["ce-id"], "e%201");
        assert_eq!(response.headers()["ce-specversion"], "1.0");
        assert_eq!(response.headers()["content-type"], "text/plain");
        assert_eq!(response.headers().len(), 3);
        let nats = message(&[("ce-id", "\"e 1\""), ("ce-bad", "%C0%A0")]).into_response(&NATS, StatusCode::OK);
        assert_eq!(nats.headers()["ce-id"], "e%201");
        assert!(!nats.headers().contains_key("ce-bad"));
    }

    #[test]
    fn a_response_becomes_a_reply() {
        let response = Response::builder()
            .header("content-type", "text/plain")
            .header("x-kind", "k")
            .header("connection", "close")
            .header("nats-status", "100")
            .header("content-length", "4")
            .body(())
            .unwrap();
        let reply = Message::of_response(&NATS, &response.into_parts().0, Bytes::from_static(b"data"));
        assert_eq!(reply.headers, [("x-kind".to_owned(), "k".to_owned())]);
        assert_eq!(reply.content_type.as_deref(), Some("text/plain"));
    }

    proptest! {
        #[test]
        fn whatever_comes_in_becomes_a_request(name in "\\PC{0,12}", value in "(?s).{0,20}") {
            let request = message(&[(&name, &value), (&format!("ce-{name}"), &value)])
                .into_request(&NATS, Uri::from_static("/"));
            prop_assert!(request.headers().len() <= 2);
        }
    }
}
