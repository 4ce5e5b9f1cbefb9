//! What goes wrong, as the core classifies it.

use callgate_core::{BodyError, ErrorKind, Invalid, UpstreamError};
use callgate_http::{EndpointError, SetupError};
use callgate_openapi::{NoServer, Unfit, Violation};
use serde_json::{Value, json};

/// The settings can't be used: the load fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("`{field}`: {source}")]
    Endpoint { field: String, source: EndpointError },
    #[error("the service's address is missing")]
    NoEndpoint,
    #[error("the document says that the service is at `{url}`: {source}")]
    Server { url: String, source: EndpointError },
    #[error(transparent)]
    NoServer(#[from] NoServer),
    #[error(transparent)]
    Setup(#[from] SetupError),
}

impl From<Unusable> for UpstreamError {
    fn from(error: Unusable) -> Self {
        Self::new(ErrorKind::Unavailable, error.to_string()).not_executed().with_source(error)
    }
}

impl From<Unusable> for Invalid {
    fn from(error: Unusable) -> Self {
        Self::new(error.to_string()).hint("say where the service is: `url: http://host:port`")
    }
}

/// The document could not be had so far.
pub(crate) fn no_document() -> UpstreamError {
    UpstreamError::new(ErrorKind::Unavailable, "the service's OpenAPI document could not be had so far").not_executed()
}

/// Every endpoint was asked, and none is well.
pub(crate) fn unhealthy() -> UpstreamError {
    UpstreamError::new(ErrorKind::Unavailable, "no endpoint of the service is well").not_executed()
}

/// Nothing says which operations there are.
pub(crate) fn no_contract() -> UpstreamError {
    UpstreamError::new(ErrorKind::Unavailable, "it has no OpenAPI document; add `openapi: FILE`, a URL or `discover`")
        .not_executed()
}

/// A function that turned out to be none when the document came.
pub(crate) fn unbound(invalid: &[Invalid]) -> UpstreamError {
    let messages: Vec<_> = invalid.iter().map(|invalid| invalid.message.as_str()).collect();
    UpstreamError::new(ErrorKind::Denied, messages.join("; "))
}

/// A request that does not make a call of the operation.
pub(crate) fn unfit(unfit: Unfit) -> UpstreamError {
    let detail = format!("The request does not fit: {unfit}.");
    UpstreamError::new(ErrorKind::BadInput, "the request does not fit the operation")
        .with_detail(detail)
        .with_source(unfit)
}

/// A body of JSON that is none.
pub(crate) fn no_json(error: &serde_json::Error) -> UpstreamError {
    let detail = format!("The body is not JSON (line {}, column {}).", error.line(), error.column());
    UpstreamError::new(ErrorKind::BadInput, "the request's body is not JSON").with_detail(detail)
}

/// A request that breaks the document's schemas: clients read each violation with its JSON pointer.
pub(crate) fn invalid_request(violations: &[Violation]) -> UpstreamError {
    let listed = violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let errors: Vec<Value> =
        violations.iter().map(|violation| json!({"pointer": violation.pointer, "detail": violation.message})).collect();
    UpstreamError::new(ErrorKind::BadInput, "the request breaks the operation's schema")
        .with_detail(format!("The request is not as the operation's schema says: {listed}"))
        .with_member("errors", errors)
}

/// A reply that breaks the document's schemas, for the log.
pub(crate) fn invalid_reply(operation: &str, violations: &[Violation]) -> UpstreamError {
    let listed = violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let message = format!("the reply of `{operation}` is not as the document says: {listed}");
    UpstreamError::new(ErrorKind::BadReply, message)
}

/// A reply that could not be read whole.
pub(crate) fn reply_body(error: &BodyError) -> UpstreamError {
    UpstreamError::reply_body("the reply", error)
}
