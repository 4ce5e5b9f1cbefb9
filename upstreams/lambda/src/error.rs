//! What the Lambda service answers instead of a function's reply, classified.
//!
//! Errors of Invoke: <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors>.

use std::{
    fmt::{self, Write},
    time::Duration,
};

use callgate_core::{BodyError, ErrorKind, UpstreamError, chain, excerpt, retry_after};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::stream::StreamError;

/// An error document of the service: its type stands in a header, or in the body under one of two names.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(rename = "__type")]
    kind: Option<String>,
    code: Option<String>,
    message: Option<String>,
    #[serde(rename = "Message")]
    message_upper: Option<String>,
    #[serde(rename = "Reason")]
    reason: Option<String>,
}

/// What a function's error holds: `{"errorType": ..., "errorMessage": ...}`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FunctionFailure {
    error_type: Option<String>,
    error_message: Option<String>,
}

/// What was asked of the service, for the log.
#[derive(Debug, Clone, Copy)]
pub(crate) enum About<'a> {
    /// A call of this function.
    Function(&'a str),
    /// The listing at this path.
    Listing(&'a str),
}

impl fmt::Display for About<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(name) => write!(f, "the function {name}"),
            Self::Listing(path) => write!(f, "the listing {path}"),
        }
    }
}

/// An answer of the service itself that is no reply.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    kind: String,
    message: String,
    request_id: String,
    retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let document: Document = serde_json::from_slice(body).unwrap_or_default();
        let kind = text(headers, "x-amzn-errortype")
            .map(str::to_owned)
            .or(document.kind)
            .or(document.code)
            .unwrap_or_default();
        // `ResourceNotFoundException:http://internal.amazon.com/...` and `com.amazonaws#Throttled` name one type each.
        let kind = kind.split(':').next().unwrap_or_default();
        let kind = kind.rsplit('#').next().unwrap_or_default();
        let mut message = match document.message.or(document.message_upper) {
            Some(message) => excerpt(&message),
            None => excerpt(&String::from_utf8_lossy(body)),
        };
        if let Some(reason) = document.reason {
            message.push_str(" (");
            message.push_str(&excerpt(&reason));
            message.push(')');
        }
        Self {
            status,
            kind: excerpt(kind),
            message,
            request_id: aws_request_id(headers),
            retry_after: retry_after(headers),
        }
    }

    /// The service did not accept the time of the signature: the clocks differ.
    pub(crate) fn is_clock_skew(&self) -> bool {
        let expired = ["Signature expired", "Signature not yet current", "is now earlier than", "is now later than"];
        self.status.is_client_error()
            && (["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"].contains(&self.bare_kind())
                || expired.iter().any(|words| self.message.contains(words)))
    }

    /// The credentials have come to their end before their announced time.
    pub(crate) fn is_expired_token(&self) -> bool {
        ["ExpiredToken", "TokenRefreshRequired"].contains(&self.bare_kind())
    }

    fn bare_kind(&self) -> &str {
        self.kind.strip_suffix("Exception").unwrap_or(&self.kind)
    }

    fn class(&self) -> ErrorKind {
        const CREDENTIALS: [&str; 8] = [
            "UnrecognizedClient",
            "ExpiredToken",
            "TokenRefreshRequired",
            "IncompleteSignature",
            "InvalidSignature",
            "InvalidClientTokenId",
            "MissingAuthenticationToken",
            "AccessDenied",
        ];
        match self.status.as_u16() {
            429 => ErrorKind::Throttled,
            413 => ErrorKind::BodyTooLarge,
            401 | 403 | 404 => ErrorKind::Denied,
            400 if CREDENTIALS.contains(&self.bare_kind()) => ErrorKind::Denied,
            // The function is being created or changed, or its snapshot is not ready.
            409 => ErrorKind::Unavailable,
            500.. => ErrorKind::Unavailable,
            _ => ErrorKind::BadReply,
        }
    }

    /// The error that the core answers and logs.
    pub(crate) fn into_error(self, about: About<'_>) -> UpstreamError {
        let kind = if self.kind.is_empty() { "an error without a type" } else { &self.kind };
        let mut text = format!("Lambda answered {} with {kind} for {about}", self.status.as_u16());
        if !self.message.is_empty() {
            text.push_str(": ");
            text.push_str(&self.message);
        }
        request_id(&mut text, &self.request_id);
        let mut error = UpstreamError::new(self.class(), text);
        // It says so before the function begins. After a failure of the service itself the function may have run.
        if matches!(self.status.as_u16(), 409 | 429) {
            error = error.not_executed();
        }
        error.with_retry_after(self.retry_after)
    }
}

/// The error of a function that ran and failed; `how` is `X-Amz-Function-Error`.
pub(crate) fn function_error(function: &str, how: &str, aws_request_id: &str, payload: &[u8]) -> UpstreamError {
    let failure: FunctionFailure = serde_json::from_slice(payload).unwrap_or_default();
    let mut text = format!("the function {function} failed ({})", excerpt(how));
    match (failure.error_type, failure.error_message) {
        (None, None) if payload.is_empty() => {}
        (None, None) => {
            text.push_str(": ");
            text.push_str(&excerpt(&String::from_utf8_lossy(payload)));
        }
        (kind, message) => {
            for part in [kind, message].into_iter().flatten() {
                text.push_str(": ");
                text.push_str(&excerpt(&part));
            }
        }
    }
    request_id(&mut text, aws_request_id);
    UpstreamError::new(ErrorKind::FunctionError, text)
}

/// The reply could not be read to its end.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn reply_body(error: BodyError) -> UpstreamError {
    UpstreamError::reply_body("Lambda's reply", &error)
}

/// The events of a streamed reply can't be read on. The cause is in the message alone, so that nobody takes it for the error
/// of the request's own body.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn stream(function: &str, aws_request_id: &str, error: StreamError) -> UpstreamError {
    let mut text = format!("the streamed reply of the function {function} can't be read: {}", chain(&error));
    request_id(&mut text, aws_request_id);
    let kind = match error {
        StreamError::Service { .. } => ErrorKind::Unavailable,
        StreamError::Function { .. } => ErrorKind::FunctionError,
        _ => ErrorKind::BadReply,
    };
    UpstreamError::new(kind, text)
}

/// The payload is over what Invoke takes; it was not sent.
pub(crate) fn payload_too_large(function: &str, size: usize, limit: usize) -> UpstreamError {
    let text = format!("the event for the function {function} has {size} bytes; Lambda takes at most {limit}");
    let detail = format!("The function's event would have {size} bytes; at most {limit} are possible.");
    UpstreamError::new(ErrorKind::BodyTooLarge, text).with_detail(detail)
}

/// The service's own id of an invocation; empty where it gave none.
pub(crate) fn aws_request_id(headers: &HeaderMap) -> String {
    text(headers, "x-amzn-requestid").map(excerpt).unwrap_or_default()
}

fn request_id(text: &mut String, id: &str) {
    if !id.is_empty() && write!(text, " [x-amzn-requestid {id}]").is_err() {
        text.push_str(" [?]");
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn refusal(status: u16, kind: &'static str, body: &str) -> Refusal {
        let mut headers = HeaderMap::new();
        if !kind.is_empty() {
            headers.insert("x-amzn-errortype", HeaderValue::from_static(kind));
        }
        headers.insert("x-amzn-requestid", HeaderValue::from_static("7f2c"));
        headers.insert("retry-after", HeaderValue::from_static("3"));
        Refusal::read(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
    }

    fn kind(status: u16, name: &'static str) -> ErrorKind {
        refusal(status, name, "{}").into_error(About::Function("f")).kind()
    }

    #[test]
    fn statuses_become_the_kinds_of_the_contract() {
        assert_eq!(kind(429, "TooManyRequestsException"), ErrorKind::Throttled);
        assert_eq!(kind(413, "RequestTooLargeException"), ErrorKind::BodyTooLarge);
        assert_eq!(kind(403, "AccessDeniedException"), ErrorKind::Denied);
        assert_eq!(kind(403, "InvalidSignatureException"), ErrorKind::Denied);
        assert_eq!(kind(404, "ResourceNotFoundException"), ErrorKind::Denied);
        assert_eq!(kind(400, "InvalidRequestContentException"), ErrorKind::BadReply);
        assert_eq!(kind(400, "UnrecognizedClientException"), ErrorKind::Denied);
        assert_eq!(kind(409, "ResourceConflictException"), ErrorKind::Unavailable);
        assert_eq!(kind(415, "UnsupportedMediaTypeException"), ErrorKind::BadReply);
        for status in [500, 502, 503] {
            assert_eq!(kind(status, "ServiceException"), ErrorKind::Unavailable);
        }
        for (status, refused) in [(409, true), (429, true), (500, false), (502, false), (503, false)] {
            let error = refusal(status, "x", "{}").into_error(About::Function("f"));
            assert_eq!(error.is_not_executed(), refused, "{status}");
        }
        assert_eq!(kind(302, ""), ErrorKind::BadReply);
    }

    #[test]
    fn the_message_says_what_the_service_said_and_how_long_to_wait() {
        let error = refusal(
            429,
            "TooManyRequestsException:http://internal.amazon.com/coral/",
            r#"{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate exceeded"}"#,
        )
        .into_error(About::Function("orders"));
        assert_eq!(
            error.message(),
            "Lambda answered 429 with TooManyRequestsException for the function orders: Rate exceeded \
             (ReservedFunctionConcurrentInvocationLimitExceeded) [x-amzn-requestid 7f2c]"
        );
        assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
        assert_eq!(error.detail(), None, "clients read the core's sentence");
    }

    #[test]
    fn the_type_is_found_in_the_body_too() {
        let error = refusal(400, "", r#"{"__type":"com.amazonaws#ExpiredTokenException","Message":"gone"}"#);
        assert!(error.is_expired_token());
        assert_eq!(error.into_error(About::Function("f")).kind(), ErrorKind::Denied);
    }

    #[test]
    fn clock_skew_is_told_from_a_wrong_signature() {
        let skewed = r#"{"message":"Signature expired: 20150830T123600Z is now earlier than 20150830T130000Z"}"#;
        assert!(refusal(403, "InvalidSignatureException", skewed).is_clock_skew());
        let wrong = r#"{"message":"The request signature we calculated does not match the signature you provided."}"#;
        assert!(!refusal(403, "InvalidSignatureException", wrong).is_clock_skew());
        assert!(refusal(403, "RequestTimeTooSkewed", "{}").is_clock_skew());
    }

    #[test]
    fn answers_that_are_no_documents_are_shown_bounded_on_one_line() {
        let error = refusal(503, "", &format!("<html>\n{}", "é".repeat(600))).into_error(About::Function("f"));
        assert!(error.message().contains("an error without a type for the function f: <html> é"));
        assert!(error.message().len() < 700 && error.message().contains('…'));
    }

    #[test]
    fn a_failed_function_is_quoted() {
        let payload = br#"{"errorType":"ValueError","errorMessage":"boom!","stackTrace":["secret"]}"#;
        let error = function_error("f", "Unhandled", "", payload);
        assert_eq!(error.kind(), ErrorKind::FunctionError);
        assert_eq!(error.message(), "the function f failed (Unhandled): ValueError: boom!");
        let error = function_error("f", "Unhandled", "", b"\"text\"");
        assert_eq!(error.message(), "the function f failed (Unhandled): \"text\"");
    }
}
