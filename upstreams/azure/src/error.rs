//! What can go wrong, as the core classifies it.

use std::{path::PathBuf, time::Duration};

use callgate_core::{ErrorKind, UpstreamError, chain};
use callgate_http::{EndpointError, HttpError, SetupError};
use http::StatusCode;

/// The settings can't be used: the load fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("the app's address is none")]
    Endpoint(#[source] EndpointError),
    #[error("no client can be set up")]
    Client(#[from] SetupError),
    #[error("the address `{0}` of the identity is none")]
    Authority(String, #[source] EndpointError),
    #[error("`{0}` is neither set in the settings nor in the environment (`{1}`)")]
    Unset(&'static str, &'static str),
    #[error("`{0}` is no tenant")]
    Tenant(String),
    #[error("a secret would go to the authority `{0}` over plain HTTP")]
    Plain(String),
    #[error("`IDENTITY_HEADER` holds a character that no HTTP header may hold")]
    Header,
    #[error("managed identities of {0} are not supported; use `workload_identity` or `client_secret`")]
    Platform(&'static str),
}

impl From<Unusable> for UpstreamError {
    fn from(error: Unusable) -> Self {
        Self::new(ErrorKind::Denied, error.to_string()).with_source(error)
    }
}

/// There is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoToken {
    #[error("the token endpoint gave no answer: {}", chain(.0))]
    Unreachable(HttpError),
    #[error("the answer of the token endpoint was cut off: {0}")]
    Cut(String),
    #[error("the token endpoint answered {status}: {reason}")]
    Refused { status: StatusCode, reason: String, retry_after: Option<Duration> },
    #[error("the answer of the token endpoint is none: {0}")]
    Malformed(String),
    #[error("the token of the service account can't be read from `{}`", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    #[error("the gateway stops")]
    Stopped,
}

impl From<NoToken> for UpstreamError {
    fn from(error: NoToken) -> Self {
        let (kind, wait) = match &error {
            // The rest may pass by itself, a metadata service that is being updated (404, 410) too.
            NoToken::Refused { status, retry_after, .. } => match *status {
                StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    (ErrorKind::Denied, *retry_after)
                }
                _ => (ErrorKind::Unavailable, *retry_after),
            },
            NoToken::File(..) => (ErrorKind::Denied, None),
            NoToken::Unreachable(_) | NoToken::Cut(_) | NoToken::Malformed(_) | NoToken::Stopped => {
                (ErrorKind::Unavailable, None)
            }
        };
        Self::new(kind, chain(&error)).not_executed().with_retry_after(wait)
    }
}

#[cfg(test)]
mod tests {
    use callgate_core::BodyError;

    use super::*;

    fn refused(status: u16) -> UpstreamError {
        let status = StatusCode::from_u16(status).unwrap();
        NoToken::Refused { status, reason: "r".to_owned(), retry_after: Some(Duration::from_secs(3)) }.into()
    }

    #[test]
    fn a_refusal_is_told_from_an_endpoint_that_is_not_there() {
        for status in [400, 401, 403] {
            assert_eq!(refused(status).kind(), ErrorKind::Denied, "{status}");
        }
        for status in [404, 410, 429, 500, 503, 302] {
            assert_eq!(refused(status).kind(), ErrorKind::Unavailable, "{status}");
        }
        assert_eq!(refused(429).retry_after(), Some(Duration::from_secs(3)));
        let file = NoToken::File("/t".into(), std::io::ErrorKind::NotFound.into());
        let error = UpstreamError::from(file);
        assert!(error.kind() == ErrorKind::Denied && error.message().contains("/t"), "{error}");
    }

    #[test]
    fn the_requests_body_stays_findable() {
        let error = UpstreamError::request_body(BodyError::TooLarge { limit: 5 });
        assert!(matches!(error.body_error(), Some(BodyError::TooLarge { limit: 5 })));
    }
}
