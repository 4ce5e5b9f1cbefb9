//! Replies that are given again, and how that is told (`cache-status`, RFC 9211).

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request, response};

use super::store::Entry;
use crate::{body::Body, invocation::Response};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why the function was asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Forward {
    Bypass,
    Miss,
    Stale,
}

/// Tells that a reply comes from the function.
pub(super) fn marked(mut reply: Response, forward: Forward) -> Response {
    let status = match forward {
        Forward::Bypass => "callgate; fwd=bypass",
        Forward::Miss => "callgate; fwd=miss",
        Forward::Stale => "callgate; fwd=stale",
    };
    reply.headers_mut().append(CACHE_STATUS, HeaderValue::from_static(status));
    reply
}

/// The reply once more; without its body where the client has that already.
pub(super) fn again(mut head: response::Parts, entry: &Entry, request: &request::Parts) -> Response {
    if entry.by_ttl {
        head.headers.remove(header::CACHE_CONTROL);
    }
    head.headers.remove(CACHE_STATUS);
    head.headers.append(CACHE_STATUS, HeaderValue::from_static("callgate; hit"));
    if head.status == StatusCode::OK && has_it(&request.headers, &head.headers) {
        head.status = StatusCode::NOT_MODIFIED;
        for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::CONTENT_ENCODING] {
            head.headers.remove(name);
        }
        return Response::from_parts(head, Body::empty());
    }
    Response::from_parts(head, Body::from(entry.body.clone()))
}

/// Whether the client's condition says that it has this reply (RFC 9110 13.1).
fn has_it(asked: &HeaderMap, reply: &HeaderMap) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    if asked.contains_key(header::IF_NONE_MATCH) {
        let Some(tag) = reply.get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(bare) else { return false };
        let lines = asked.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|line| line.to_str().ok());
        return lines.flat_map(|line| line.split(',')).any(|own| own.trim() == "*" || bare(own) == tag);
    }
    // A browser sends back the very date that it was told.
    let since = asked.get(header::IF_MODIFIED_SINCE);
    since.is_some() && since == reply.get(header::LAST_MODIFIED)
}
