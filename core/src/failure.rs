//! Everything that can keep a request from its answer, inside the core.

use std::borrow::Cow;

use callgate_transform::{Side, TransformError};
use http::HeaderValue;

use crate::{
    body::BodyError,
    document::{Sources, Span},
    error::UpstreamError,
};

/// Why the gateway itself has to answer. What it answers is decided in [`respond`](crate::respond) alone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no route matches")]
    NoRoute,
    #[error("the path has routes for other methods only")]
    MethodNotAllowed { allow: HeaderValue },
    /// The sentence is for the client.
    #[error("{0}")]
    BadRequest(Cow<'static, str>),
    /// `place` is the template's in the configuration, for the log.
    #[error("a step could not be carried out ({place})")]
    Template {
        #[source]
        error: TransformError,
        place: String,
    },
    #[error("the request's body is over limits.max_body")]
    RequestTooLarge { limit: u64 },
    #[error("the reply that has to be buffered is over limits.max_body")]
    ReplyTooLarge { limit: u64 },
    #[error("the request's body could not be read")]
    RequestBody(#[source] BodyError),
    #[error("the request's body broke off on its way to the upstream")]
    RequestBroken(#[source] UpstreamError),
    #[error("the reply's body could not be read")]
    ReplyBody(#[source] BodyError),
    #[error("no answer within the route's timeout")]
    TimedOut,
    #[error(transparent)]
    Upstream(UpstreamError),
}

impl Failure {
    /// The request's body, as it was buffered here, failed.
    pub(crate) fn request_body(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { limit } => Self::RequestTooLarge { limit },
            error @ (BodyError::TimedOut | BodyError::Cut(_)) => Self::RequestBody(error),
        }
    }

    /// The reply's body, as it was buffered here, failed.
    pub(crate) fn reply_body(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { limit } => Self::ReplyTooLarge { limit },
            BodyError::TimedOut => Self::TimedOut,
            error @ BodyError::Cut(_) => Self::ReplyBody(error),
        }
    }

    /// Whether the template failed on what the client sent, rather than on what the function answered.
    pub(crate) fn is_clients(error: &TransformError) -> bool {
        error.side == Side::Request
    }
}

impl Failure {
    /// A step could not be carried out; `sources` are the files that its place is in.
    pub(crate) fn transformation(error: TransformError, sources: &Sources) -> Self {
        match (error.over_limit, error.side) {
            (Some(limit), Side::Request) => Self::RequestTooLarge { limit },
            (Some(limit), Side::Response) => Self::ReplyTooLarge { limit },
            (None, _) => Self::Template { place: sources.place(Span::from(error.at)), error },
        }
    }
}

impl From<UpstreamError> for Failure {
    /// An upstream that fails because the request's body did is not to blame, whatever its kind made of it.
    fn from(error: UpstreamError) -> Self {
        match error.body_error() {
            Some(BodyError::TooLarge { limit }) => Self::RequestTooLarge { limit: *limit },
            Some(BodyError::TimedOut) => Self::TimedOut,
            Some(BodyError::Cut(_)) => Self::RequestBroken(error),
            None => Self::Upstream(error),
        }
    }
}
