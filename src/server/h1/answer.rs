//! The head of a response, and how its body ends.

use bytes::Bytes;
use callgate_core::Body;
use callgate_http::wire::{Content, Outgoing, Stated, announced_trailers, has_option, stated_length, write_header};
use http::{HeaderMap, Method, Response, StatusCode, Version, header};

use super::head::{self, Head, Refusal};
use crate::server::date;

/// What of a request decides about the form of its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    version: Version,
    head_only: bool,
    takes_trailers: bool,
}

/// An answer that is being written.
#[derive(Debug)]
pub(super) struct Begun {
    /// The connection ends with it.
    pub(super) is_last: bool,
    /// Nothing but the connection's end says where the body ends.
    pub(super) until_close: bool,
    /// The connection leaves HTTP behind it.
    pub(super) switches: bool,
}

impl Asked {
    pub(super) fn by(head: &Head) -> Self {
        Self {
            version: head.parts.version,
            head_only: head.parts.method == Method::HEAD,
            takes_trailers: head.takes_trailers,
        }
    }
}

/// Begins to write a response; after one that `is_last`, the connection ends.
pub(super) fn begin(out: &mut Outgoing, response: Response<Body>, asked: Asked, is_last: bool) -> Begun {
    let (head, body) = response.into_parts();
    let (status, headers) = (head.status, head.headers);
    let is_new = asked.version != Version::HTTP_10;
    // No body, and no length of one either (RFC 9110, 8.6).
    let is_bare = status.is_informational() || status == StatusCode::NO_CONTENT;
    let has_body = !is_bare && status != StatusCode::NOT_MODIFIED && !asked.head_only;
    let content = if has_body { content(body, &headers, asked) } else { Content::Whole(Bytes::new()) };
    let length = match &content {
        Content::Whole(whole) if has_body => Some(whole.len() as u64),
        Content::Length(_, length) => Some(*length),
        _ => None,
    };
    let chunked = matches!(content, Content::Chunked(..));
    let until_close = matches!(content, Content::UntilClose(_));
    let to = out.begin(content);
    write_status(status, is_new, to);
    let mut said = Said { length: has_body || is_bare, trailer: !chunked, closes: false, date: false };
    said.write(&headers, to);
    if let Some(length) = length {
        write_length(length, to);
    } else if chunked {
        to.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    let switches = status == StatusCode::SWITCHING_PROTOCOLS;
    let is_last = is_last || said.closes || until_close;
    if is_last && is_new && !said.closes && !switches {
        to.extend_from_slice(b"connection: close\r\n");
    } else if !is_last && !is_new {
        to.extend_from_slice(b"connection: keep-alive\r\n");
    }
    if !said.date {
        write_date(to);
    }
    to.extend_from_slice(b"\r\n");
    head::give_back(headers);
    Begun { is_last, until_close, switches }
}

/// How a body goes out. What the body knows of its length holds, not what its head says; where it knows nothing, the head
/// is held to its word.
fn content(body: Body, headers: &HeaderMap, asked: Asked) -> Content {
    if let Some(whole) = body.in_memory() {
        return Content::Whole(whole);
    }
    let length = body.known_length().or_else(|| match stated_length(headers) {
        Stated::Once(length) => Some(length),
        Stated::Nothing | Stated::Otherwise => None,
    });
    match length {
        Some(length) => Content::Length(body, length),
        None if asked.version == Version::HTTP_10 => Content::UntilClose(body),
        None if asked.takes_trailers => Content::Chunked(body, announced_trailers(headers)),
        None => Content::Chunked(body, Vec::new()),
    }
}

/// What a response's headers may not say for themselves, or did say.
struct Said {
    /// The length is the server's to say.
    length: bool,
    /// There are no trailers to announce.
    trailer: bool,
    closes: bool,
    date: bool,
}

impl Said {
    fn write(&mut self, headers: &HeaderMap, to: &mut Vec<u8>) {
        for (name, value) in headers {
            match *name {
                header::TRANSFER_ENCODING => continue,
                header::CONTENT_LENGTH if self.length => continue,
                header::TRAILER if self.trailer => continue,
                header::CONNECTION => self.closes |= has_option(value, b"close"),
                header::DATE => self.date = true,
                _ => {}
            }
            write_header(name, value, to);
        }
    }
}

fn write_date(to: &mut Vec<u8>) {
    if let Some(date) = date::now() {
        write_header(&header::DATE, &date, to);
    }
}

fn write_length(length: u64, to: &mut Vec<u8>) {
    to.extend_from_slice(b"content-length: ");
    to.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    to.extend_from_slice(b"\r\n");
}

/// Begins to write what is answered to a head that nobody else sees.
pub(super) fn refuse(out: &mut Outgoing, refusal: &Refusal) {
    let to = out.begin(Content::Whole(Bytes::new()));
    write_status(refusal.status(), true, to);
    to.extend_from_slice(b"content-length: 0\r\nconnection: close\r\n");
    write_date(to);
    to.extend_from_slice(b"\r\n");
}

/// Asks the client for the body that it keeps until then (RFC 9110, 10.1.1).
pub(super) fn ask_for_body(out: &mut Outgoing) {
    out.begin(Content::Whole(Bytes::new())).extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
}

fn write_status(status: StatusCode, is_new: bool, to: &mut Vec<u8>) {
    if status == StatusCode::OK && is_new {
        to.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    to.extend_from_slice(if is_new { b"HTTP/1.1 " } else { b"HTTP/1.0 " });
    to.extend_from_slice(status.as_str().as_bytes());
    to.push(b' ');
    // Some clients want one.
    to.extend_from_slice(status.canonical_reason().unwrap_or("Unknown").as_bytes());
    to.extend_from_slice(b"\r\n");
}
