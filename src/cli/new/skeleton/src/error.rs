//! What goes wrong at a remote, as the core classifies it. The core decides about retries and what clients are answered.

use std::io;

use callgate_core::{ErrorKind, UpstreamError};

/// A call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SkeletonError {
    #[error("the remote can't be reached")]
    Unreachable(#[source] io::Error),
    #[error("the connection broke")]
    Broken(#[source] io::Error),
    #[error("the remote closed the connection without a reply")]
    Empty,
    #[error("the reply can't be read: {0}")]
    Malformed(String),
    #[error("the function failed: {0}")]
    Failed(String),
}

impl From<SkeletonError> for UpstreamError {
    fn from(error: SkeletonError) -> Self {
        let kind = match &error {
            // Nothing was sent: it may be tried again.
            SkeletonError::Unreachable(_) => ErrorKind::Unreachable,
            // Whether the function ran is unknown.
            SkeletonError::Broken(_) | SkeletonError::Empty => ErrorKind::Unavailable,
            SkeletonError::Malformed(_) => ErrorKind::BadReply,
            SkeletonError::Failed(_) => ErrorKind::FunctionError,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}
