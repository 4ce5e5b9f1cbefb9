//! What goes wrong at a gateway of OpenFaaS, classified.

use callgate_core::{BodyError, ErrorKind, UpstreamError, excerpt, retry_after};
use callgate_http::{EndpointError, SetupError};
use http::{HeaderMap, StatusCode};

use crate::{credentials::LoginError, name::NameError, shape::INTERNAL};

/// The settings can't be used: the load fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("`url`: {0}")]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("`credentials`: {0}")]
    Login(#[from] LoginError),
}

impl From<Unusable> for UpstreamError {
    fn from(error: Unusable) -> Self {
        Self::new(ErrorKind::Denied, error.to_string()).with_source(error)
    }
}

/// There is no such function.
pub(crate) fn unknown(name: &str) -> UpstreamError {
    UpstreamError::new(ErrorKind::Denied, format!("OpenFaaS has no function {name}"))
}

/// The gateway's own time for a function was over.
pub(crate) fn out_of_time(name: &str) -> UpstreamError {
    UpstreamError::new(
        ErrorKind::Timeout,
        format!("the function {name} took longer than OpenFaaS waits (gateway_timeout): an empty 200 came"),
    )
}

/// No replica of the function answered: there is none, or it broke off, so that the call may have been worked on.
pub(crate) fn no_replica(name: &str) -> UpstreamError {
    UpstreamError::new(ErrorKind::Unavailable, format!("no replica of the function {name} answered: an empty 502 came"))
}

/// A reply that the platform marked as its own; `None` for one that is a success.
pub(crate) fn platform(name: &str, status: StatusCode, headers: &HeaderMap) -> Option<UpstreamError> {
    let part = text(headers, INTERNAL.as_str()).map(excerpt).unwrap_or_default();
    let kind = match status.as_u16() {
        ..400 => return None,
        // Of the function's own side; what the gateway answers for want of a replica is no failure of the function.
        500 if part.contains("watchdog") => ErrorKind::FunctionError,
        _ => class(status),
    };
    let message = format!("OpenFaaS ({part}) answered {} for the function {name}", status.as_u16());
    Some(waiting(UpstreamError::new(kind, message), headers))
}

/// An answer of the gateway itself that is not the one that was asked for.
pub(crate) fn refused(what: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> UpstreamError {
    let said = excerpt(&String::from_utf8_lossy(body));
    let separator = if said.is_empty() { "" } else { ": " };
    let message = format!("OpenFaaS answered {} to {what}{separator}{said}", status.as_u16());
    waiting(UpstreamError::new(class(status), message), headers)
}

fn class(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 | 403 | 404 => ErrorKind::Denied,
        413 => ErrorKind::BodyTooLarge,
        429 => ErrorKind::Throttled,
        504 => ErrorKind::Timeout,
        500.. => ErrorKind::Unavailable,
        _ => ErrorKind::BadReply,
    }
}

/// With the time that it asks to wait. A call that is throttled was not handed to a replica; nothing else says so.
fn waiting(mut error: UpstreamError, headers: &HeaderMap) -> UpstreamError {
    if error.kind() == ErrorKind::Throttled {
        error = error.not_executed();
    }
    error.with_retry_after(retry_after(headers))
}

/// A reply could not be read.
pub(crate) fn reply_body(error: &BodyError) -> UpstreamError {
    UpstreamError::reply_body("the reply of OpenFaaS", error)
}

/// A template that was rendered as something else than a name.
pub(crate) fn no_name(error: NameError) -> UpstreamError {
    UpstreamError::new(ErrorKind::BadInput, "the function's name was rendered as none")
        .with_detail("A value of the request does not fit into the name of a function.")
        .with_source(error)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderValue, header::RETRY_AFTER};

    use super::*;

    #[test]
    fn what_the_gateway_says_goes_to_the_log_bounded_and_on_one_line() {
        let error = refused("the list", StatusCode::UNAUTHORIZED, &HeaderMap::new(), b"invalid\r\ncredentials\n");
        assert_eq!(error.message(), "OpenFaaS answered 401 to the list: invalid  credentials");
        assert_eq!((error.kind(), error.detail()), (ErrorKind::Denied, None));
        let long = refused("the list", StatusCode::BAD_REQUEST, &HeaderMap::new(), "é".repeat(600).as_bytes());
        assert!(long.message().len() < 600 && long.message().ends_with('…'));
    }

    #[test]
    fn a_date_that_has_passed_is_nothing_to_wait_for() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("Fri, 31 Dec 1999 23:59:59 GMT"))]);
        let error = refused("the call", StatusCode::TOO_MANY_REQUESTS, &headers, b"");
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::Throttled, Some(Duration::ZERO)));
    }

    #[test]
    fn only_a_call_that_is_throttled_was_certainly_not_executed() {
        for (status, refused) in [(429, true), (500, false), (502, false), (503, false), (504, false)] {
            let error = platform("f", StatusCode::from_u16(status).unwrap(), &HeaderMap::new()).unwrap();
            assert_eq!(error.is_not_executed(), refused, "{status}");
        }
        assert!(!no_replica("f").is_not_executed());
    }
}
