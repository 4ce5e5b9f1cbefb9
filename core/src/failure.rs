//! Everything that can keep a request from its answer, inside the core.

use std::{borrow::Cow, fmt, time::Duration};

use callgate_transform::{Side, TransformError};
use http::{HeaderValue, StatusCode};

use crate::{
    body::BodyError,
    document::{Sources, Span},
    error::{ErrorKind, UpstreamError},
    policy::Denial,
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
    #[error("a policy lets it no further")]
    Denied(#[source] Box<Denial>),
    /// Nobody can tell whether the client or the service was waited for: the client has not ended its own stream.
    #[error("no answer within the route's timeout, while the client's own stream was open")]
    Undecided,
    #[error(transparent)]
    Upstream(UpstreamError),
    /// A policy keeps the call from its upstream.
    #[error("{by}")]
    Refused { by: Refusal, retry_after: Duration },
    #[error(transparent)]
    Retried(Box<Retried>),
}

/// The policies that keep calls from an upstream for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the circuit of the upstream is open")]
    Circuit,
    #[error("as many calls as `concurrency` allows are under way at the upstream")]
    Concurrency,
}

/// The last of several attempts failed too.
#[derive(Debug)]
pub(crate) struct Retried {
    pub(crate) last: Failure,
    /// How the attempts before it ended.
    pub(crate) before: Vec<String>,
}

/// Every attempt, for the log.
impl fmt::Display for Retried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempts = self.before.len() + 1;
        write!(f, "{} (attempt {attempts}, after {})", self.last, self.before.join("; "))
    }
}

impl std::error::Error for Retried {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.last.source()
    }
}

impl Failure {
    /// What went wrong, however often it was tried.
    pub(crate) fn cause(&self) -> &Self {
        match self {
            Self::Retried(retried) => retried.last.cause(),
            failure => failure,
        }
    }

    /// How long the client is asked to wait, where that is known.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self.cause() {
            Self::Upstream(error) => error.retry_after(),
            Self::Refused { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// The status by which the function itself said that it failed, in a protocol whose statuses stand for those of HTTP.
    pub(crate) fn chosen_status(&self) -> Option<StatusCode> {
        match self.cause() {
            Self::Upstream(error) if error.kind() == ErrorKind::GrpcStatus => error.status(),
            _ => None,
        }
    }

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
