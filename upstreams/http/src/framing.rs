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
            let right = match stated_length(headers) {
                Stated::Nothing => !expects_length,
                Stated::Once(stated) => stated == length,
                Stated::Otherwise => false,
            };
            if !right {
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
    let has_body = reply.status != StatusCode::NO_CONTENT;
    match stated_length(headers) {
        Stated::Nothing => {}
        Stated::Once(_) if has_body => {}
        // hyper has refused lengths that differ, except where there is no body to read.
        Stated::Once(_) | Stated::Otherwise => match repeated_length(headers).filter(|_| has_body) {
            Some(length) => drop(headers.insert(header::CONTENT_LENGTH, length.into())),
            None => drop(headers.remove(header::CONTENT_LENGTH)),
        },
    }
    Ok(())
}

/// What the headers say of the body's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stated {
    Nothing,
    Once(u64),
    /// Several times, or not as a number.
    Otherwise,
}

fn stated_length(headers: &HeaderMap) -> Stated {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(first) = values.next() else {
        return Stated::Nothing;
    };
    match parse_length(first.as_bytes()) {
        Some(length) if values.next().is_none() => Stated::Once(length),
        _ => Stated::Otherwise,
    }
}

/// The length that is stated again and again, if it is always the same.
fn repeated_length(headers: &HeaderMap) -> Option<u64> {
    let values = headers.get_all(header::CONTENT_LENGTH).iter();
    let mut lengths = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(parse_length);
    let first = lengths.next()??;
    lengths.all(|length| length == Some(first)).then_some(first)
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
