//! Why an exchange did not come to its end.

use std::io;

use crate::{error::Malformed, wire::WireError};

/// Why an exchange did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the connection was closed before the reply came")]
    Closed,
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Broken {
    /// Whether what came is no HTTP.
    pub(crate) fn is_malformed(&self) -> bool {
        match self {
            Self::Malformed(_) => true,
            Self::Wire(error) => error.is_malformed(),
            Self::Closed => false,
        }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Wire(error.into())
    }
}
