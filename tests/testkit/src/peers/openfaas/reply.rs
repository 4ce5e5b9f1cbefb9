use std::io;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Body;

pub(super) type AnyBody = UnsyncBoxBody<Bytes, io::Error>;
pub(super) type Reply = Response<AnyBody>;

/// A body of bytes that are known.
pub(super) fn full(bytes: impl Into<Bytes>) -> AnyBody {
    UnsyncBoxBody::new(Full::new(bytes.into()).map_err(|never| match never {}))
}

/// A reply whose body is known.
pub(super) fn reply(status: u16, body: impl Into<Bytes>) -> Reply {
    streamed(status, full(body))
}

/// A reply with a body of its own.
pub(super) fn streamed(status: u16, body: impl Body<Data = Bytes, Error = io::Error> + Send + 'static) -> Reply {
    let mut response = Response::new(UnsyncBoxBody::new(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// The same reply with one more header.
pub(super) fn with(mut reply: Reply, name: &'static str, value: &'static str) -> Reply {
    reply.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    reply
}
