//! Headers of HTTP as metadata of gRPC, and back.

use std::time::Duration;

use base64::Engine;
use callgate_core::UpstreamError;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{error, status::BASE64, timeout};

pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// What names of values begin with that are the protocol's own.
const OWN: &str = "grpc-";

/// The end of the names of values that are bytes.
const BINARY: &str = "-bin";

/// Headers of a request that say something of its body or of its connection, or make it conditional.
const OF_THE_MESSAGE: [HeaderName; 13] = [
    header::ACCEPT,
    header::ACCEPT_CHARSET,
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::EXPECT,
    header::HOST,
    header::RANGE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::ORIGIN,
    HeaderName::from_static("x-grpc-web"),
];

/// The headers of a call that JSON came for: the client's as metadata, and how long the service may take.
///
/// # Errors
/// A value whose name ends with `-bin` is no base64.
pub(crate) fn request(client: &HeaderMap, left: Option<Duration>) -> Result<HeaderMap, UpstreamError> {
    let mut headers = HeaderMap::with_capacity(client.len() + 4);
    for (name, value) in client {
        let text = name.as_str();
        let is_own = text.starts_with(OWN) || text.starts_with("content-") || text.starts_with("if-");
        if is_own || OF_THE_MESSAGE.contains(name) {
            continue;
        }
        if text.ends_with(BINARY) {
            headers.append(name.clone(), binary(value).ok_or_else(|| error::bad_header(name))?);
        } else if value.as_bytes().iter().all(|byte| matches!(byte, 0x20..=0x7e)) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity,gzip"));
    if let Some(left) = left {
        headers.insert(TIMEOUT, timeout::encode(left));
    }
    Ok(headers)
}

/// Base64 without padding, of one value or of several in one line.
fn binary(value: &HeaderValue) -> Option<HeaderValue> {
    let values: Option<Vec<_>> =
        value.as_bytes().split(|byte| *byte == b',').map(|value| BASE64.decode(value.trim_ascii()).ok()).collect();
    let encoded: Vec<_> = values?.iter().map(|value| BASE64.encode(value)).collect();
    HeaderValue::try_from(encoded.join(",")).ok()
}

/// Puts a reply's metadata, of its head or of its trailers, to the headers of the answer.
pub(crate) fn metadata(from: &HeaderMap, to: &mut HeaderMap) {
    for (name, value) in from {
        let text = name.as_str();
        let is_own = text.starts_with(OWN)
            || [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::TRAILER].contains(name);
        if !is_own {
            to.append(name.clone(), value.clone());
        }
    }
}

/// Shortens what a client of gRPC allows to what the gateway does.
pub(crate) fn bound(headers: &mut HeaderMap, left: Option<Duration>) {
    let Some(left) = left else { return };
    if headers.get(TIMEOUT).and_then(timeout::decode).is_none_or(|clients| clients > left) {
        headers.insert(TIMEOUT, timeout::encode(left));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_clients_headers_are_metadata_unless_they_are_of_the_message() {
        let client = map(&[
            ("authorization", "Bearer x"),
            ("x-own", "1"),
            ("user-agent", "curl"),
            ("content-type", "application/json"),
            ("content-length", "2"),
            ("accept", "*/*"),
            ("accept-encoding", "gzip"),
            ("te", "trailers"),
            ("if-none-match", "x"),
            ("grpc-timeout", "1n"),
            ("grpc-encoding", "evil"),
        ]);
        let headers = request(&client, Some(Duration::from_millis(1500))).unwrap();
        assert_eq!(names(&headers), ["authorization", "grpc-accept-encoding", "grpc-timeout", "user-agent", "x-own"]);
        assert_eq!(headers["grpc-timeout"], "1500m");
    }

    #[test]
    fn bytes_are_base64_and_text_is_ascii() {
        let mut client = map(&[("trace-bin", "AQI="), ("many-bin", "AQI,AQ==")]);
        client.insert("x-latin", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        let headers = request(&client, None).unwrap();
        assert_eq!(
            (&headers["trace-bin"], &headers["many-bin"]),
            (&"AQI".parse().unwrap(), &"AQI,AQ".parse().unwrap())
        );
        assert!(!headers.contains_key("x-latin"), "text of metadata is ASCII");
        let wrong = request(&map(&[("trace-bin", "not base64!")]), None).unwrap_err();
        assert!(wrong.detail().unwrap().contains("`trace-bin`"));
    }

    #[test]
    fn metadata_comes_back_as_headers() {
        let mut to = map(&[("x-a", "1")]);
        let from = map(&[("content-type", "application/grpc"), ("grpc-status", "0"), ("x-a", "2"), ("x-b-bin", "AQ")]);
        metadata(&from, &mut to);
        assert_eq!(names(&to), ["x-a", "x-b-bin"]);
        assert_eq!(to.get_all("x-a").iter().count(), 2);
    }

    #[test]
    fn a_clients_timeout_is_kept_where_it_is_shorter() {
        let left = Some(Duration::from_secs(2));
        for (clients, sent) in [("1S", "1S"), ("3S", "2000m"), ("x", "2000m")] {
            let mut headers = map(&[("grpc-timeout", clients)]);
            bound(&mut headers, left);
            assert_eq!(headers["grpc-timeout"], sent);
        }
        let mut headers = HeaderMap::new();
        bound(&mut headers, None);
        assert!(headers.is_empty());
    }
}
