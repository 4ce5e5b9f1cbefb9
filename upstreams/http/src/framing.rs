//! How messages are delimited: what hyper is told before a request, and what is checked in a reply.
//!
//! A length that is not the body's own would let the peer read a part of one message as the next one.

use callgate_core::Body;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header, response};
use http_body::Body as _;

use crate::{
    endpoint::Endpoint,
    error::{HttpError, Malformed},
};

/// Makes head and body agree, and names the host.
pub(crate) fn prepare(endpoint: &Endpoint, request: &mut Request<Body>) -> Result<(), HttpError> {
    if request.method() == Method::CONNECT {
        return Err(HttpError::Request("CONNECT opens a tunnel, which no upstream is"));
    }
    *request.version_mut() = Version::HTTP_11;
    let length = request.body().size_hint().exact();
    // hyper leaves the body out of a GET or HEAD whose length is unknown, unless it is told.
    let must_tell = length.is_none() && matches!(*request.method(), Method::GET | Method::HEAD);
    let expects_length = length == Some(0) && matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    let headers = request.headers_mut();
    headers.remove(header::TRANSFER_ENCODING);
    match length {
        Some(length) => {
            let stated = stated_length(headers);
            if stated.is_some_and(|stated| stated != Some(length)) || (stated.is_none() && expects_length) {
                headers.insert(header::CONTENT_LENGTH, length.into());
            }
        }
        None => {
            headers.remove(header::CONTENT_LENGTH);
            if must_tell {
                headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
        }
    }
    if !headers.contains_key(header::HOST) {
        headers.insert(header::HOST, endpoint.host_header().clone());
    }
    Ok(())
}

/// Checks what hyper takes but what must not be passed on, and removes what is the connection's own.
pub(crate) fn check(reply: &mut response::Parts, upgrade: bool) -> Result<(), Malformed> {
    if reply.status == StatusCode::SWITCHING_PROTOCOLS && !upgrade {
        return Err(Malformed::Upgrade);
    }
    let headers = &mut reply.headers;
    if headers.contains_key(header::TRANSFER_ENCODING) {
        let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
        let chunked =
            codings.next().is_some_and(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"));
        if !chunked || codings.next().is_some() {
            return Err(Malformed::TransferEncoding);
        }
        headers.remove(header::TRANSFER_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
    }
    match stated_length(headers) {
        None | Some(Some(_)) if reply.status != StatusCode::NO_CONTENT => {}
        None => {}
        // hyper has refused lengths that differ, except where there is no body to read.
        Some(_) => {
            let first = headers.get(header::CONTENT_LENGTH).map(HeaderValue::as_bytes).unwrap_or_default();
            let first = first.split(|byte| *byte == b',').next().and_then(parse_length);
            match first {
                Some(length) if reply.status != StatusCode::NO_CONTENT && all_equal(headers, length) => {
                    headers.insert(header::CONTENT_LENGTH, length.into());
                }
                _ => {
                    headers.remove(header::CONTENT_LENGTH);
                }
            }
        }
    }
    Ok(())
}

/// The one length that the headers state; `Some(None)` when they state several or nonsense.
fn stated_length(headers: &HeaderMap) -> Option<Option<u64>> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let first = values.next()?;
    if values.next().is_some() {
        return Some(None);
    }
    Some(parse_length(first.as_bytes()))
}

fn all_equal(headers: &HeaderMap, length: u64) -> bool {
    let values = headers.get_all(header::CONTENT_LENGTH).iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .all(|value| parse_length(value) == Some(length))
}

/// Digits alone: a sign or a blank between them is no length (RFC 9110 8.6).
fn parse_length(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |length, byte| match byte {
        b'0'..=b'9' => length.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}
