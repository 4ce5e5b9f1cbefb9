//! Messages as the guide prints them.

use std::io::Write;

use callgate_core::Body;
use http::Request;
use serde_json::Value;

/// What the gateway itself adds to every request, which recipes do not repeat.
const ADDED: [&str; 9] = [
    "content-length",
    "forwarded",
    "host",
    "traceparent",
    "tracestate",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// A message as text.
#[derive(Debug)]
pub(crate) struct Printed {
    /// `GET /path?query` or `HTTP/1.1 200 OK`.
    pub(crate) start: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Printed {
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let start = lines.next().unwrap_or_default().to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").expect("a header");
            (name.to_owned(), value.to_owned())
        };
        Self { start, headers: lines.map(header).collect(), body: body.trim_end().to_owned() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The request that is printed.
    pub(crate) fn to_request(&self) -> Request<Body> {
        let (method, target) = self.start.split_once(' ').expect("method and target");
        let mut request = Request::builder().method(method).uri(target).header("host", "api.test");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut body = self.body.clone().into_bytes();
        if self.header("content-type").is_some_and(|media| media.starts_with("multipart/")) {
            body = self.body.replace('\n', "\r\n").into_bytes();
        }
        if self.header("content-encoding").is_some() {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(&body).expect("in memory");
            body = encoder.finish().expect("in memory");
        }
        request.body(Body::from(body)).expect("a request")
    }

    /// That this is what the guide prints, and nothing else.
    pub(crate) fn assert_is(&self, expected: &Self) {
        let sorted = |message: &Self| {
            let own =
                message.headers.iter().filter(|(name, _)| !ADDED.contains(&name.as_str()) && name != "x-request-id");
            let mut own: Vec<_> = own.cloned().collect();
            own.sort();
            own
        };
        assert_eq!(self.start, expected.start);
        assert_eq!(sorted(self), sorted(expected));
        self.assert_body(expected);
    }

    /// That this has the status, the headers and the body that the guide prints.
    pub(crate) fn assert_has(&self, expected: &Self) {
        assert_eq!(self.start, expected.start, "{self:?}");
        for (name, value) in &expected.headers {
            assert_eq!(self.header(name), Some(value.as_str()), "{name}: {self:?}");
        }
        self.assert_body(expected);
    }

    fn assert_body(&self, expected: &Self) {
        match (serde_json::from_str::<Value>(&self.body), serde_json::from_str::<Value>(&expected.body)) {
            (Ok(body), Ok(expected)) => assert_eq!(body, expected),
            _ => assert_eq!(self.body.trim_end(), expected.body),
        }
    }
}
