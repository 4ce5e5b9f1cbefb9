//! What a request must be beyond what the server checks, so that no two readers of it disagree.

use http::{HeaderMap, HeaderValue, Method, Version, header, request::Parts};

use super::Seen;
use crate::failure::Failure;

/// Refuses a request whose host, target or framing could be read in more than one way (RFC 9110, RFC 9112, RFC 9113).
pub(crate) fn check(parts: &Parts, seen: Seen) -> Result<(), Failure> {
    if parts.method == Method::CONNECT {
        let allow = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        return Err(Failure::MethodNotAllowed { allow });
    }
    if parts.uri.path() == "*" && parts.method != Method::OPTIONS {
        return Err(bad("the target `*` is for OPTIONS only"));
    }
    host(parts)?;
    if seen.transfer_encoding { transfer_encoding(&parts.headers) } else { Ok(()) }
}

/// RFC 9112, 3.2: one `host` in HTTP/1.1; RFC 9113, 8.3.1: none that differs from `:authority`.
fn host(parts: &Parts) -> Result<(), Failure> {
    let mut lines = parts.headers.get_all(header::HOST).into_iter();
    let host = lines.next();
    if lines.next().is_some() {
        return Err(bad("the request has more than one `host` header"));
    }
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    match (host.map(HeaderValue::as_bytes), authority) {
        (None, _) if parts.version == Version::HTTP_11 => {
            return Err(bad("an HTTP/1.1 request must have a `host` header"));
        }
        (Some(host), Some(authority)) if parts.version == Version::HTTP_2 && !host.eq_ignore_ascii_case(authority) => {
            return Err(bad("the `host` header differs from `:authority`"));
        }
        _ => {}
    }
    if authority.is_some_and(|name| !is_host(name)) {
        return Err(bad("the target's authority is not a host with an optional port"));
    }
    if host.is_some_and(|name| !is_host(name.as_bytes())) {
        return Err(bad("the `host` header is not a host with an optional port"));
    }
    Ok(())
}

/// Whether only characters of a host stand here; an empty one is what a target without authority asks for.
pub(super) fn is_host(name: &[u8]) -> bool {
    name.iter().all(|byte| OF_A_HOST[usize::from(*byte)])
}

/// The characters of `uri-host [ ":" port ]` (RFC 3986, 3.2.2). A comma is left out: it is how two `host` lines look once
/// some proxy has joined them.
const OF_A_HOST: [bool; 256] = {
    const OTHERS: &[u8] = b"-._~%!$&'()*+;=:[]";
    let mut of_a_host = [false; 256];
    let mut byte = 0;
    while byte < of_a_host.len() {
        #[allow(clippy::cast_possible_truncation, reason = "there are no more bytes")]
        let character = byte as u8;
        of_a_host[byte] = character.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut other = 0;
    while other < OTHERS.len() {
        of_a_host[OTHERS[other] as usize] = true;
        other += 1;
    }
    of_a_host
};

/// RFC 9112, 6.1: `chunked` is the only coding that the gateway decodes, and nobody may apply it twice.
fn transfer_encoding(headers: &HeaderMap) -> Result<(), Failure> {
    let mut lines = headers.get_all(header::TRANSFER_ENCODING).into_iter();
    match (lines.next(), lines.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(bad("the only `transfer-encoding` that is understood is `chunked`, once")),
    }
}

fn bad(sentence: &'static str) -> Failure {
    Failure::BadRequest(sentence.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(method: &str, target: &str, version: Version, headers: &[(&str, &str)]) -> Result<(), Failure> {
        let mut request = http::Request::builder().method(method).uri(target).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        check(&parts, Seen::of(&parts.headers))
    }

    #[test]
    fn takes_what_the_specifications_allow() {
        for (method, target, version, headers) in [
            ("GET", "/", Version::HTTP_11, &[("host", "a.example:8080")][..]),
            ("GET", "/", Version::HTTP_11, &[("host", "[2001:db8::1]:80")]),
            ("GET", "/", Version::HTTP_11, &[("host", "")]),
            ("GET", "/", Version::HTTP_10, &[]),
            ("GET", "http://a.example/", Version::HTTP_11, &[("host", "other.example")]),
            ("GET", "http://a.example/", Version::HTTP_2, &[]),
            ("GET", "http://a.example/", Version::HTTP_2, &[("host", "A.example")]),
            ("OPTIONS", "*", Version::HTTP_11, &[("host", "a")]),
            ("POST", "/", Version::HTTP_11, &[("host", "a"), ("transfer-encoding", "Chunked")]),
        ] {
            assert!(checked(method, target, version, headers).is_ok(), "{method} {target} {headers:?}");
        }
    }

    #[test]
    fn refuses_what_two_readers_could_read_differently() {
        for (method, target, version, headers) in [
            ("GET", "/", Version::HTTP_11, &[][..]),
            ("GET", "/", Version::HTTP_11, &[("host", "a"), ("host", "a")]),
            ("GET", "/", Version::HTTP_10, &[("host", "a"), ("host", "b")]),
            ("GET", "/", Version::HTTP_11, &[("host", "a b")]),
            ("GET", "/", Version::HTTP_11, &[("host", "a, b")]),
            ("GET", "/", Version::HTTP_11, &[("host", "user@a")]),
            ("GET", "/", Version::HTTP_11, &[("host", "a/b")]),
            ("GET", "http://user@a/", Version::HTTP_11, &[("host", "a")]),
            ("GET", "http://a.example/", Version::HTTP_2, &[("host", "b.example")]),
            ("GET", "*", Version::HTTP_11, &[("host", "a")]),
            ("CONNECT", "a:80", Version::HTTP_11, &[("host", "a:80")]),
            ("POST", "/", Version::HTTP_11, &[("host", "a"), ("transfer-encoding", "gzip, chunked")]),
            (
                "POST",
                "/",
                Version::HTTP_11,
                &[("host", "a"), ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            ),
        ] {
            assert!(checked(method, target, version, headers).is_err(), "{method} {target} {headers:?}");
        }
    }
}
