//! What goes wrong at a gRPC service, classified.

use callgate_core::{BodyError, Code as Failure, ErrorKind, Invalid, UpstreamError, excerpt};
use callgate_http::{EndpointError, SetupError, WebStatus};
use http::StatusCode;

use crate::{
    details,
    frame::Malformed,
    json::Unfit,
    status::{Code, Status},
};

/// The settings can't be used: the load fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("`url`: {0}")]
    Url(#[from] EndpointError),
    #[error("`reflection`: the service does not describe itself; name its descriptors instead (`descriptors: FILE`)")]
    NoReflection,
}

impl From<Unusable> for UpstreamError {
    fn from(error: Unusable) -> Self {
        Self::new(ErrorKind::Denied, error.to_string()).with_source(error)
    }
}

/// A reply that is none of gRPC.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the service answered {0} and no gRPC")]
    Status(WebStatus),
    #[error("the service answered with `{}`, which is no gRPC", excerpt(.0))]
    NoGrpc(String),
    #[error("the service's answer: {0}")]
    Malformed(#[from] Malformed),
    #[error("the service's answer ended without a status")]
    NoStatus,
    #[error("the service answered {0} messages where one was expected")]
    Count(usize),
    #[error("the service's answer was cut off: {0}")]
    Cut(String),
    #[error("the service's message can't be read by its description: {0}")]
    Undecodable(#[from] prost_reflect::prost::DecodeError),
    #[error("the service's message has no form in JSON: {0}")]
    NoJson(#[from] serde_json::Error),
}

impl Refused {
    /// What broke a reply's body. The cause goes into the message, not the source, so that nobody takes it for the error
    /// of the request's own body.
    pub(crate) fn body(error: &BodyError) -> Self {
        match error {
            BodyError::Cut(cause) => Self::Cut(callgate_core::chain(&**cause)),
            other => Self::Cut(other.to_string()),
        }
    }
}

impl From<Refused> for UpstreamError {
    fn from(refused: Refused) -> Self {
        let message = refused.to_string();
        match refused {
            Refused::Status(status) => status.into_error(message),
            _ => Self::new(ErrorKind::BadReply, message),
        }
    }
}

/// A value of the client that does not fit.
impl From<Unfit> for UpstreamError {
    fn from(unfit: Unfit) -> Self {
        Self::new(ErrorKind::BadInput, "the request does not fit the method's message")
            .with_detail(unfit.to_string())
            .with_source(unfit)
    }
}

/// A request that is for no method.
pub(crate) fn no_method(method: &http::Method, path: &str) -> UpstreamError {
    let code = Code::NOT_FOUND;
    UpstreamError::new(ErrorKind::GrpcStatus, format!("no method of the services is for {method} {}", excerpt(path)))
        .with_detail("No method of the service is called like this.")
        .with_status(code.http())
        .with_member("grpc_status", code.0)
        .with_member("grpc_message", "no such method")
}

/// A method that only clients of gRPC can call.
pub(crate) fn only_grpc(detail: &'static str) -> UpstreamError {
    UpstreamError::new(ErrorKind::BadInput, "a request that is no gRPC came for what only gRPC can call")
        .with_detail(detail)
        .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

/// A header that can't be metadata.
pub(crate) fn bad_header(name: &http::HeaderName) -> UpstreamError {
    UpstreamError::new(ErrorKind::BadInput, format!("the header `{name}` is no base64"))
        .with_detail(format!("The header `{name}` has to be base64, as its name ends with `-bin`."))
}

/// The service says that the call failed.
pub(crate) fn status(status: &Status, pool: &prost_reflect::DescriptorPool) -> UpstreamError {
    let Status { code, message, details } = status;
    let text = format!("the service answered with {} ({}): {}", code.name(), code.0, excerpt(message));
    let mut error = UpstreamError::new(ErrorKind::GrpcStatus, text)
        .with_status(code.http())
        .with_member("grpc_status", code.0)
        .with_member("grpc_message", message.as_str());
    // The service may have begun, whatever it says.
    let counted_as = match *code {
        Code::DEADLINE_EXCEEDED => Some(ErrorKind::Timeout),
        Code(8) => Some(ErrorKind::Throttled),
        Code(14) => Some(ErrorKind::Unavailable),
        _ => None,
    };
    if let Some(kind) = counted_as {
        error = error.counted_as(kind);
    }
    if !message.is_empty() {
        error = error.with_detail(message.clone());
    }
    let Some(details) = details.as_ref().and_then(|details| details::read(details, pool)) else { return error };
    error = error.with_retry_after(details.retry_after);
    if details.list.is_empty() { error } else { error.with_member("details", details.list) }
}

/// The deadline that the service kept was the gateway's own.
pub(crate) fn too_late() -> UpstreamError {
    UpstreamError::new(ErrorKind::Timeout, "the service gave up at the deadline that it was told")
}

/// A function that turned out not to be there, once the description was.
pub(crate) fn unbound(invalid: &Invalid) -> UpstreamError {
    UpstreamError::new(ErrorKind::Denied, invalid.to_string())
}

/// The code that clients of this failure see, for a line in a stream.
pub(crate) fn code(error: &UpstreamError) -> &'static str {
    Failure::from(error.kind()).as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_with_its_members() {
        let answered = Status { code: Code(9), message: "nope".into(), details: None };
        let error = status(&answered, &prost_reflect::DescriptorPool::new());
        assert_eq!((error.kind(), error.status()), (ErrorKind::GrpcStatus, Some(StatusCode::BAD_REQUEST)));
        let members = serde_json::to_value(error.members().unwrap()).unwrap();
        assert_eq!(members, serde_json::json!({"grpc_status": 9, "grpc_message": "nope"}));
        let kinds = [
            (4, Some(ErrorKind::Timeout)),
            (8, Some(ErrorKind::Throttled)),
            (14, Some(ErrorKind::Unavailable)),
            (9, None),
            (13, None),
        ];
        for (code, kind) in kinds {
            let answered = Status { code: Code(code), message: String::new(), details: None };
            let error = status(&answered, &prost_reflect::DescriptorPool::new());
            assert_eq!((error.counts_as(), error.is_not_executed()), (kind, false), "{code}");
        }
    }
}
