//! The one place where a failure becomes HTTP: a problem document (RFC 9457), or a gRPC status for gRPC clients.

mod code;
mod grpc;
mod problem;

pub use code::Code;
pub(crate) use problem::{ERROR, respond};

use http::{HeaderMap, header};

/// Whether the client speaks gRPC, and so wants a gRPC status instead of a problem document.
pub(crate) fn speaks_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}
