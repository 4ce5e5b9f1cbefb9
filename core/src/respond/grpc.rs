//! Failures for clients of gRPC: HTTP 200 with the status in the headers ("Trailers-Only" in the gRPC protocol), or, for
//! those of gRPC-Web, in the frame of trailers at the end of the body: browsers show no header to other origins.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::Code;
use crate::{body::Body, invocation::Response};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// What `grpc-message` has to escape: all but visible ASCII and the space, and `%` itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// The flag of the frame that holds trailers.
const TRAILERS: u8 = 0x80;

pub(super) fn respond(code: Code, detail: &str) -> Response {
    let mut response = Response::default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(STATUS, HeaderValue::from_static(status(code)));
    if let Ok(message) = HeaderValue::try_from(message(detail)) {
        headers.insert(MESSAGE, message);
    }
    response
}

/// The same for gRPC-Web; `is_text` is its form in base64.
pub(super) fn respond_web(code: Code, detail: &str, is_text: bool) -> Response {
    let lines = format!("{STATUS}: {}\r\n{MESSAGE}: {}\r\n", status(code), message(detail));
    let length = u32::try_from(lines.len()).unwrap_or(u32::MAX).to_be_bytes();
    let frame = [&[TRAILERS], &length[..], lines.as_bytes()].concat();
    let (kind, body) = if is_text {
        ("application/grpc-web-text+proto", Body::from(STANDARD.encode(frame)))
    } else {
        ("application/grpc-web+proto", Body::from(frame))
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn message(detail: &str) -> String {
    utf8_percent_encode(detail, ESCAPED).to_string()
}

/// By `google.rpc.Code`; what nobody has defined is `UNKNOWN`.
pub(super) fn told(response: &Response) -> Option<(StatusCode, Option<Code>)> {
    let code = response.headers().get(STATUS).filter(|_| response.status() == StatusCode::OK)?;
    Some(match code.as_bytes() {
        b"0" => return None,
        b"1" | b"3" | b"9" | b"11" => (StatusCode::BAD_REQUEST, None),
        b"4" => (StatusCode::GATEWAY_TIMEOUT, Some(Code::UpstreamTimeout)),
        b"5" => (StatusCode::NOT_FOUND, None),
        b"6" | b"10" => (StatusCode::CONFLICT, None),
        b"7" => (StatusCode::FORBIDDEN, None),
        b"8" => (StatusCode::TOO_MANY_REQUESTS, Some(Code::UpstreamThrottled)),
        b"12" => (StatusCode::NOT_IMPLEMENTED, None),
        b"14" => (StatusCode::SERVICE_UNAVAILABLE, Some(Code::UpstreamUnavailable)),
        b"16" => (StatusCode::UNAUTHORIZED, None),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, None),
    })
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
        Code::NotCached | Code::UpstreamUnreachable | Code::UpstreamThrottled | Code::UpstreamUnavailable => "14",
        Code::GrpcStatus => "2",
        Code::UpstreamDenied | Code::FunctionError | Code::BadUpstreamReply | Code::Unroutable | Code::SoapFault => {
            "13"
        }
    }
}
