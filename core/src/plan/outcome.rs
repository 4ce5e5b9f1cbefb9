//! What a function is supposed to do with a request that is tried offline.

use bytes::Bytes;
use http::Response;

use crate::{
    body::Body,
    error::{ErrorKind, UpstreamError},
    failure::Failure,
    invocation,
    respond::Code,
};

/// What a function does with a request that is tried offline.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It answers; the steps of the response see this.
    Reply(Response<Bytes>),
    /// The call fails in this way.
    Error(ErrorKind),
}

/// The failures of a call. Those that end a request before its route's steps are not among them.
const KINDS: [ErrorKind; 12] = [
    ErrorKind::BadInput,
    ErrorKind::BodyTooLarge,
    ErrorKind::Unreachable,
    ErrorKind::Timeout,
    ErrorKind::Throttled,
    ErrorKind::Unavailable,
    ErrorKind::Denied,
    ErrorKind::FunctionError,
    ErrorKind::BadReply,
    ErrorKind::Unroutable,
    ErrorKind::SoapFault,
    ErrorKind::GrpcStatus,
];

/// Their codes, in the same order.
pub(super) static CODES: [&str; KINDS.len()] = [
    Code::BadTemplateInput.as_str(),
    Code::BodyTooLarge.as_str(),
    Code::UpstreamUnreachable.as_str(),
    Code::UpstreamTimeout.as_str(),
    Code::UpstreamThrottled.as_str(),
    Code::UpstreamUnavailable.as_str(),
    Code::UpstreamDenied.as_str(),
    Code::FunctionError.as_str(),
    Code::BadUpstreamReply.as_str(),
    Code::Unroutable.as_str(),
    Code::SoapFault.as_str(),
    Code::GrpcStatus.as_str(),
];

impl Outcome {
    /// The failure of a code, as it stands in the header `callgate-error`: `upstream_timeout`.
    pub fn error(code: &str) -> Option<Self> {
        CODES.iter().position(|known| *known == code).and_then(|index| KINDS.get(index)).map(|kind| Self::Error(*kind))
    }

    /// The codes that [`error`](Self::error) takes.
    pub fn codes() -> &'static [&'static str] {
        &CODES
    }

    /// What the innermost layer of a route's stack would answer.
    pub(super) fn answer(&self) -> Result<invocation::Response, Failure> {
        match self {
            Self::Reply(reply) => Ok(reply.clone().map(Body::from)),
            Self::Error(kind) => Err(UpstreamError::new(*kind, "the call is supposed to fail").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_for_the_failure_that_answers_it() {
        for code in Outcome::codes() {
            let failure = Outcome::error(code).unwrap().answer().unwrap_err();
            assert_eq!(Code::from(&failure).as_str(), *code);
        }
        assert!(Outcome::error("no_route").is_none(), "a request without a route meets no steps");
    }
}
