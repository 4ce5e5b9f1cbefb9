//! Replies that are not the function's own, and what of the service's answer goes to the log.

use base64::{Engine, engine::general_purpose::STANDARD};
use callgate_core::{Body, CallContext, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde_json::json;

const LOG_RESULT: HeaderName = HeaderName::from_static("x-amz-log-result");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The answer of an `event` invocation: Lambda has the event.
pub(crate) fn accepted(context: &CallContext) -> Response {
    let body = json!({"request_id": context.request_id().as_str()}).to_string();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::ACCEPTED;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The answer of a `dry_run` invocation: the gateway may invoke the function.
pub(crate) fn permitted() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Joins the service's request id, and the function's log where it was asked for, to the request's span.
pub(crate) fn log(function: &str, headers: &HeaderMap) {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let id = text(REQUEST_ID);
    tracing::debug!(function, aws_request_id = id, "Lambda answered.");
    if let Some(encoded) = text(LOG_RESULT) {
        log_tail(function, id, encoded);
    }
}

/// Writes the end of a function's log, as Lambda sends it, to our own.
pub(crate) fn log_tail(function: &str, aws_request_id: Option<&str>, encoded: &str) {
    if let Some(tail) = tail(encoded) {
        tracing::info!(function, aws_request_id, tail, "The function's log.");
    }
}

/// The last 4 KB of a function's log, as `x-amz-log-result` holds it.
fn tail(encoded: &str) -> Option<String> {
    let bytes = STANDARD.decode(encoded).ok()?;
    let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_has_no_content() {
        let response = permitted();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert_eq!(response.body().known_length(), Some(0));
    }

    #[test]
    fn the_log_of_a_function_is_decoded() {
        assert_eq!(tail("aGVsbG8K").as_deref(), Some("hello"));
        assert_eq!(tail("!"), None);
        assert_eq!(tail(""), None);
    }
}
