//! Why an exchange did not come to its end.

use std::io;

use callgate_core::BodyError;

use crate::error::Malformed;

/// Why an exchange did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the connection was closed before the reply came")]
    Closed,
    #[error("the connection was closed before the reply's end")]
    Cut,
    #[error("the connection failed")]
    Io(#[from] io::Error),
    #[error("its head is malformed: {0}")]
    Head(httparse::Error),
    #[error("its head, interim replies included, is too long")]
    HeadTooLong,
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("its chunked coding is malformed: {0}")]
    Chunk(&'static str),
    /// The body of the request.
    #[error("the body of the request broke off")]
    Request(#[source] BodyError),
}

impl Broken {
    /// Whether what came is no HTTP.
    pub(crate) fn is_malformed(&self) -> bool {
        match self {
            Self::Head(_) | Self::HeadTooLong | Self::Malformed(_) | Self::Chunk(_) => true,
            Self::Closed | Self::Cut | Self::Io(_) | Self::Request(_) => false,
        }
    }
}
