//! Why a message did not come to its end.

use std::io;

use callgate_core::BodyError;

/// Why a message could not be read or written to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The peer sends nothing more, though the message has not ended.
    #[error("the connection was closed before the message's end")]
    Cut,
    /// Reading or writing failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// A line of a head, or of trailers, is none of HTTP.
    #[error("its head is malformed: {0}")]
    Head(httparse::Error),
    /// A head is longer than allowed, or has more headers.
    #[error("its head, interim replies included, is too long")]
    HeadTooLong,
    /// The chunked coding is broken, or could be read in two ways.
    #[error("its chunked coding is malformed: {0}")]
    Chunk(&'static str),
    /// The body that was to be sent.
    #[error("the body that was being sent broke off")]
    Body(#[source] BodyError),
}

impl WireError {
    /// Whether what came is no HTTP.
    pub fn is_malformed(&self) -> bool {
        match self {
            Self::Head(_) | Self::HeadTooLong | Self::Chunk(_) => true,
            Self::Cut | Self::Io(_) | Self::Body(_) => false,
        }
    }
}

impl From<httparse::Error> for WireError {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::TooManyHeaders => Self::HeadTooLong,
            error => Self::Head(error),
        }
    }
}
