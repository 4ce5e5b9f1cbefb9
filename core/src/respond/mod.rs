//! The one place where a failure becomes HTTP: a problem document (RFC 9457), or a gRPC status for gRPC clients.

mod code;
mod grpc;
mod problem;

pub use code::Code;
pub(crate) use problem::{ERROR, detail, respond, status};

use http::{HeaderMap, StatusCode, header};

use crate::invocation::Response;

/// Whether the client speaks gRPC, and so wants a gRPC status instead of a problem document. gRPC-Web is read by
/// browsers' code and is not meant.
pub(crate) fn speaks_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes());
    let rest = kind.and_then(|kind| kind.strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

/// What a reply of gRPC says that has nothing but a status other than OK: the status of HTTP that it stands for, and the
/// failure that it is like.
pub(crate) fn told_by_grpc(response: &Response) -> Option<(StatusCode, Option<Code>)> {
    grpc::told(response)
}
