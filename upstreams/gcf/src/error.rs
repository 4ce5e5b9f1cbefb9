//! What goes wrong before and beside the functions, as the core classifies it.

use callgate_core::{ErrorKind, UpstreamError};
use callgate_http::{EndpointError, SetupError};
use callgate_transform::TransformError;
use http::uri::InvalidUri;

use crate::token::{CredentialsError, TokenError};

/// The settings can't be used: the load fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("the URL can't be used")]
    Url(#[source] EndpointError),
    #[error("no client can be set up")]
    Client(#[source] SetupError),
    #[error("the credentials can't be used")]
    Credentials(#[source] CredentialsError),
}

impl From<Unusable> for UpstreamError {
    fn from(error: Unusable) -> Self {
        Self::new(ErrorKind::Denied, error.to_string()).with_source(error)
    }
}

impl From<TokenError> for UpstreamError {
    fn from(error: TokenError) -> Self {
        Self::new(error.kind, error.to_string()).not_executed().with_retry_after(error.retry_after)
    }
}

/// The request is no event, or a template does not fit it.
pub(crate) fn no_event(error: TransformError) -> UpstreamError {
    let kind = if error.over_limit.is_some() { ErrorKind::BodyTooLarge } else { ErrorKind::BadInput };
    let detail = error.public_detail().to_owned();
    UpstreamError::new(kind, "the request makes no event").with_detail(detail).with_source(error)
}

/// The path and query make no target together.
pub(crate) fn no_target(error: InvalidUri) -> UpstreamError {
    UpstreamError::new(ErrorKind::BadInput, "the path and the query are too long for a request").with_source(error)
}
