//! The client's errors as the core classifies them.

use callgate_core::{ErrorKind, UpstreamError};
use callgate_http::{EndpointError, SetupError};

/// The settings can't be used: the load fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("`{field}`: {source}")]
    Endpoint { field: String, source: EndpointError },
    #[error("the service's address is missing")]
    NoEndpoint,
    #[error(transparent)]
    Setup(#[from] SetupError),
}

impl From<Unusable> for UpstreamError {
    fn from(error: Unusable) -> Self {
        Self::new(ErrorKind::Unavailable, error.to_string()).with_source(error)
    }
}
