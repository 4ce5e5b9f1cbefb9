//! The codes of failures, as in the header `callgate-error`, with their status and title.

use http::StatusCode;

use crate::{error::ErrorKind, failure::Failure};

/// A failure's code. The same for every kind of upstream; `docs/errors.md` says when each is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the table below says of each what it is")]
pub enum Code {
    NoRoute,
    MethodNotAllowed,
    BadRequest,
    BadTemplateInput,
    BodyTooLarge,
    Unauthenticated,
    Forbidden,
    RateLimited,
    NotCached,
    UpstreamUnreachable,
    UpstreamTimeout,
    UpstreamThrottled,
    UpstreamUnavailable,
    UpstreamDenied,
    FunctionError,
    BadUpstreamReply,
    Unroutable,
    SoapFault,
    GrpcStatus,
}

impl Code {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 19] = [
        Self::NoRoute,
        Self::MethodNotAllowed,
        Self::BadRequest,
        Self::BadTemplateInput,
        Self::BodyTooLarge,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::RateLimited,
        Self::NotCached,
        Self::UpstreamUnreachable,
        Self::UpstreamTimeout,
        Self::UpstreamThrottled,
        Self::UpstreamUnavailable,
        Self::UpstreamDenied,
        Self::FunctionError,
        Self::BadUpstreamReply,
        Self::Unroutable,
        Self::SoapFault,
        Self::GrpcStatus,
    ];

    /// Code, status, title, and the sentence that clients read when nothing more is known.
    const fn row(self) -> (&'static str, StatusCode, &'static str, &'static str) {
        match self {
            Self::NoRoute => ("no_route", StatusCode::NOT_FOUND, "Not found", "No route matches this request."),
            Self::MethodNotAllowed => (
                "method_not_allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "Method not allowed",
                "This path serves other methods only; the header `allow` lists them.",
            ),
            Self::BadRequest => ("bad_request", StatusCode::BAD_REQUEST, "Bad request", "The request is malformed."),
            Self::BadTemplateInput => (
                "bad_template_input",
                StatusCode::BAD_REQUEST,
                "Bad input",
                "A value that this route needs is missing from the request, or has the wrong form.",
            ),
            Self::BodyTooLarge => (
                "body_too_large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "Body too large",
                "The request's body is larger than this route allows.",
            ),
            Self::Unauthenticated => (
                "unauthenticated",
                StatusCode::UNAUTHORIZED,
                "Unauthenticated",
                "This needs credentials; the header `www-authenticate` says which.",
            ),
            Self::Forbidden => {
                ("forbidden", StatusCode::FORBIDDEN, "Forbidden", "The credentials do not allow this request.")
            }
            Self::RateLimited => (
                "rate_limited",
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests",
                "This is more than is allowed here; `retry-after` says when to come again.",
            ),
            Self::NotCached => (
                "not_cached",
                StatusCode::GATEWAY_TIMEOUT,
                "Not cached",
                "Nothing is kept that answers this request, and `only-if-cached` forbids to ask for it.",
            ),
            Self::UpstreamUnreachable => (
                "upstream_unreachable",
                StatusCode::BAD_GATEWAY,
                "Upstream unreachable",
                "The upstream could not be connected.",
            ),
            Self::UpstreamTimeout => (
                "upstream_timeout",
                StatusCode::GATEWAY_TIMEOUT,
                "Upstream timed out",
                "The upstream did not answer in time; whether it acted on the request is unknown.",
            ),
            Self::UpstreamThrottled => (
                "upstream_throttled",
                StatusCode::SERVICE_UNAVAILABLE,
                "Upstream throttled",
                "The upstream takes no more requests at the moment.",
            ),
            Self::UpstreamUnavailable => (
                "upstream_unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "Upstream unavailable",
                "Nothing is there to serve the request at the moment.",
            ),
            Self::UpstreamDenied => (
                "upstream_denied",
                StatusCode::BAD_GATEWAY,
                "Upstream denied the gateway",
                "The upstream refused the gateway's call.",
            ),
            Self::FunctionError => {
                ("function_error", StatusCode::BAD_GATEWAY, "Function failed", "The function ran and failed.")
            }
            Self::BadUpstreamReply => (
                "bad_upstream_reply",
                StatusCode::BAD_GATEWAY,
                "Bad upstream reply",
                "The upstream's reply could not be used.",
            ),
            Self::Unroutable => {
                ("unroutable", StatusCode::BAD_GATEWAY, "Message not routable", "No queue or stream takes the message.")
            }
            Self::SoapFault => (
                "soap_fault",
                StatusCode::BAD_GATEWAY,
                "SOAP fault",
                "The service answered with a fault; `fault` tells it.",
            ),
            Self::GrpcStatus => (
                "grpc_status",
                StatusCode::INTERNAL_SERVER_ERROR,
                "gRPC status",
                "The service answered with a status other than OK; `grpc_status` tells it.",
            ),
        }
    }

    /// The code as it stands in the header `callgate-error`, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The status that is answered, unless the upstream's error has one of its own.
    pub const fn status(self) -> StatusCode {
        self.row().1
    }

    /// The problem document's title.
    pub const fn title(self) -> &'static str {
        self.row().2
    }

    /// The problem document's detail when nothing more may or can be said.
    pub const fn detail(self) -> &'static str {
        self.row().3
    }
}

impl From<&Failure> for Code {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Retried(retried) => Self::from(&retried.last),
            Failure::Refused { .. } => Self::UpstreamUnavailable,
            Failure::NoRoute => Self::NoRoute,
            Failure::MethodNotAllowed { .. } => Self::MethodNotAllowed,
            Failure::BadRequest(_) | Failure::RequestBody(_) | Failure::RequestBroken(_) => Self::BadRequest,
            Failure::Template { error, .. } if Failure::is_clients(error) => Self::BadTemplateInput,
            Failure::Template { .. } | Failure::ReplyTooLarge { .. } | Failure::ReplyBody(_) => Self::BadUpstreamReply,
            Failure::RequestTooLarge { .. } => Self::BodyTooLarge,
            Failure::TimedOut | Failure::Undecided => Self::UpstreamTimeout,
            Failure::Denied(denial) => denial.code,
            Failure::Upstream(error) => error.kind().into(),
        }
    }
}

impl From<ErrorKind> for Code {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Unreachable => Self::UpstreamUnreachable,
            ErrorKind::Timeout => Self::UpstreamTimeout,
            ErrorKind::Throttled => Self::UpstreamThrottled,
            ErrorKind::Unavailable => Self::UpstreamUnavailable,
            ErrorKind::Denied => Self::UpstreamDenied,
            ErrorKind::FunctionError => Self::FunctionError,
            ErrorKind::BadReply => Self::BadUpstreamReply,
            ErrorKind::BodyTooLarge => Self::BodyTooLarge,
            ErrorKind::BadInput => Self::BadTemplateInput,
            ErrorKind::Unroutable => Self::Unroutable,
            ErrorKind::SoapFault => Self::SoapFault,
            ErrorKind::GrpcStatus => Self::GrpcStatus,
        }
    }
}
