//! Failures for gRPC clients: HTTP 200 with the status in the headers ("Trailers-Only" in the gRPC protocol).

use http::{HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::Code;
use crate::invocation::Response;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// What `grpc-message` has to escape: all but visible ASCII and the space, and `%` itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

pub(super) fn respond(code: Code, detail: &str) -> Response {
    let mut response = Response::default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(STATUS, HeaderValue::from_static(status(code)));
    if let Ok(message) = HeaderValue::try_from(utf8_percent_encode(detail, ESCAPED).to_string()) {
        headers.insert(MESSAGE, message);
    }
    response
}

/// The gRPC status codes of <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>.
const fn status(code: Code) -> &'static str {
    match code {
        Code::NoRoute | Code::MethodNotAllowed => "12",
        Code::BadRequest | Code::BadTemplateInput => "3",
        Code::BodyTooLarge | Code::RateLimited => "8",
        Code::Unauthenticated => "16",
        Code::Forbidden => "7",
        Code::UpstreamTimeout => "4",
        Code::UpstreamUnreachable | Code::UpstreamThrottled | Code::UpstreamUnavailable => "14",
        Code::GrpcStatus => "2",
        Code::UpstreamDenied | Code::FunctionError | Code::BadUpstreamReply | Code::Unroutable | Code::SoapFault => {
            "13"
        }
    }
}
