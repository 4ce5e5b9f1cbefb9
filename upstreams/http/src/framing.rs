//! How messages are delimited: what is told of a request's body, and what is held against a reply.
//!
//! A length that is not the body's own would let the peer read a part of one message as the next one.

use callgate_core::Body;
use http::{HeaderMap, Method, Request, StatusCode, Version, header, response};
use http_body::Body as _;

use crate::{
    endpoint::Endpoint,
    error::{HttpError, Malformed},
    wire::{Delimited, Stated, parse_length, stated_length},
};

/// Makes head and body agree, and names the host. Says whether the request named one.
pub(crate) fn prepare(endpoint: &Endpoint, request: &mut Request<Body>) -> Result<bool, HttpError> {
    if request.method() == Method::CONNECT {
        return Err(HttpError::Request("CONNECT opens a tunnel, which no upstream is"));
    }
    *request.version_mut() = Version::HTTP_11;
    let length = request.body().size_hint().exact();
    let expects_length = length == Some(0) && matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    let headers = request.headers_mut();
    let (mut names_host, mut states_length, mut has_coding) = (false, false, false);
    // One look through the names: each question costs a hash.
    for name in headers.keys() {
        match *name {
            header::HOST => names_host = true,
            header::CONTENT_LENGTH => states_length = true,
            header::TRANSFER_ENCODING => has_coding = true,
            _ => {}
        }
    }
    if has_coding {
        headers.remove(header::TRANSFER_ENCODING);
    }
    match length {
        Some(length) => {
            let stated = if states_length { stated_length(headers) } else { Stated::Nothing };
            let right = match stated {
                Stated::Nothing => length == 0 && !expects_length,
                Stated::Once(stated) => stated == length,
                Stated::Otherwise => false,
            };
            if !right {
                headers.insert(header::CONTENT_LENGTH, length.into());
            }
        }
        None if states_length => {
            headers.remove(header::CONTENT_LENGTH);
        }
        None => {}
    }
    if !names_host {
        headers.insert(header::HOST, endpoint.host_header().clone());
    }
    Ok(names_host)
}

/// What the headers of a reply say of its body's end, noted as they were read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said {
    pub(crate) length: Stated,
    /// There is a `transfer-encoding`.
    pub(crate) coding: bool,
}

impl Said {
    /// Whether nobody could read the reply's end in another way: behind one with two framings, or with a body where there
    /// must be none, may come what is no reply.
    pub(crate) fn is_certain(self, status: StatusCode) -> bool {
        let states_body = self.coding || !matches!(self.length, Stated::Nothing | Stated::Once(0));
        let twice = self.coding && self.length != Stated::Nothing;
        !(twice || (status == StatusCode::NO_CONTENT && states_body))
    }
}

/// How the body of a reply to this method ends (RFC 9112, 6.3). What must not be passed on is refused, and what is the
/// connection's own is removed.
pub(crate) fn of_reply(
    reply: &mut response::Parts,
    said: Said,
    method: &Method,
    upgrade: bool,
) -> Result<Delimited, Malformed> {
    let switches = reply.status == StatusCode::SWITCHING_PROTOCOLS;
    if switches && !upgrade {
        return Err(Malformed::Upgrade);
    }
    let never = switches || reply.status == StatusCode::NO_CONTENT;
    let has_body = !never && reply.status != StatusCode::NOT_MODIFIED && *method != Method::HEAD;
    let headers = &mut reply.headers;
    if said.coding {
        let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
        let chunked =
            codings.next().is_some_and(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"));
        if !chunked || codings.next().is_some() {
            return Err(Malformed::TransferEncoding);
        }
        if reply.version != Version::HTTP_11 {
            return Err(Malformed::OldCoding);
        }
        headers.remove(header::TRANSFER_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
        return Ok(if has_body { Delimited::Chunks } else { Delimited::Length(0) });
    }
    let length = match said.length {
        Stated::Nothing => None,
        Stated::Once(length) if !never => Some(length),
        Stated::Once(_) | Stated::Otherwise => match repeated_length(headers).filter(|_| !never) {
            Some(length) => {
                headers.insert(header::CONTENT_LENGTH, length.into());
                Some(length)
            }
            None if has_body => return Err(Malformed::Length),
            None => {
                headers.remove(header::CONTENT_LENGTH);
                None
            }
        },
    };
    Ok(match length {
        _ if !has_body => Delimited::Length(0),
        Some(length) => Delimited::Length(length),
        None => Delimited::Close,
    })
}

/// The length that is stated again and again, if it is always the same.
fn repeated_length(headers: &HeaderMap) -> Option<u64> {
    let values = headers.get_all(header::CONTENT_LENGTH).iter();
    let mut lengths = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(parse_length);
    let first = lengths.next()??;
    lengths.all(|length| length == Some(first)).then_some(first)
}
