//! What is wrong with a reply.

use callgate_core::{ErrorKind, UpstreamError};

/// A reply is outside the contract of its shape. The messages are for the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The reply is no JSON, or a field has the wrong type.
    #[error("the function's reply is not a valid HTTP response: {0}")]
    Json(#[source] serde_json::Error),
    /// The reply is JSON, but no object.
    #[error("the function's reply is not an object with a `statusCode`")]
    NoObject,
    /// The reply has no status.
    #[error("the function's reply has no `statusCode`")]
    NoStatus,
    /// The status is none that a function may give.
    #[error("`statusCode` in the function's reply is {0}, expected an integer from 200 to 599")]
    Status(String),
    /// A header's name is invalid.
    #[error("the function's reply has a header with the invalid name {0:?}")]
    HeaderName(String),
    /// A header's value is invalid.
    #[error("the function's reply has an invalid value for the header `{0}`")]
    HeaderValue(String),
    /// More headers than any client takes.
    #[error("the function's reply has {found} headers, expected {most} at most")]
    TooManyHeaders {
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// The body is said to be base64, and is not.
    #[error("the body of the function's reply is not base64, though `isBase64Encoded` says so: {0}")]
    Base64(#[source] base64::DecodeError),
    /// A streamed reply is longer than a prelude may be, or ended before its prelude's end.
    #[error("the function's streamed reply has no complete prelude")]
    Prelude,
    /// A streamed reply begins with an object that has no end within the limit.
    #[error("the function's streamed reply begins with an object of more than {0} bytes")]
    TooLong(u64),
}

impl From<ReplyError> for UpstreamError {
    fn from(error: ReplyError) -> Self {
        Self::new(ErrorKind::BadReply, error.to_string()).with_source(error)
    }
}
