//! What a status says where another protocol, within HTTP, was to answer.

use std::{borrow::Cow, fmt, time::Duration};

use callgate_core::{ErrorKind, UpstreamError, retry_after};
use http::{HeaderMap, StatusCode};

/// A status that is the web's own: of a proxy on the way, or of a service that did not come to speak its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebStatus {
    status: StatusCode,
    retry_after: Option<Duration>,
}

impl WebStatus {
    /// That of a reply's head.
    #[must_use]
    pub fn of(status: StatusCode, headers: &HeaderMap) -> Self {
        Self { status, retry_after: retry_after(headers) }
    }

    /// The class of the failure that it tells.
    #[must_use]
    pub fn kind(self) -> ErrorKind {
        match self.status.as_u16() {
            401 | 403 | 404 | 407 => ErrorKind::Denied,
            413 => ErrorKind::BodyTooLarge,
            429 => ErrorKind::Throttled,
            504 => ErrorKind::Timeout,
            502 | 503 => ErrorKind::Unavailable,
            500.. => ErrorKind::FunctionError,
            _ => ErrorKind::BadReply,
        }
    }

    /// The failure that it tells; `message` is for the log.
    pub fn into_error(self, message: impl Into<Cow<'static, str>>) -> UpstreamError {
        let error = UpstreamError::new(self.kind(), message).with_retry_after(self.retry_after);
        match self.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => error.not_executed(),
            // By 502 something on the way says that it does not know.
            _ => error,
        }
    }
}

impl fmt::Display for WebStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_the_webs_own() {
        for (status, kind, is_refusal) in [
            (200, ErrorKind::BadReply, false),
            (302, ErrorKind::BadReply, false),
            (401, ErrorKind::Denied, false),
            (404, ErrorKind::Denied, false),
            (413, ErrorKind::BodyTooLarge, false),
            (429, ErrorKind::Throttled, true),
            (500, ErrorKind::FunctionError, false),
            (502, ErrorKind::Unavailable, false),
            (503, ErrorKind::Unavailable, true),
            (504, ErrorKind::Timeout, false),
        ] {
            let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, 7.into())]);
            let error = WebStatus::of(StatusCode::from_u16(status).unwrap(), &headers).into_error("told");
            assert_eq!((error.kind(), error.is_not_executed()), (kind, is_refusal), "{status}");
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        }
    }
}
