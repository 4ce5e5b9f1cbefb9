//! What goes wrong at a SOAP service, classified.

use callgate_core::{BodyError, ErrorKind, Invalid, UpstreamError, excerpt};
use callgate_http::{SetupError, WebStatus};
use callgate_wsdl::{Fault, Mismatch, NoOperation, Refused};
use http::{HeaderMap, StatusCode};

use crate::{security::TokenError, source::NotFetched};

/// The settings can't be used: the load fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("`wsdl`: {0}")]
    Wsdl(String),
    #[error("`credentials.basic`: user and password make no header")]
    Basic(#[from] http::header::InvalidHeaderValue),
    #[error("`credentials.username_token`: {0}")]
    Token(#[from] TokenError),
}

impl From<Unusable> for UpstreamError {
    fn from(error: Unusable) -> Self {
        Self::new(ErrorKind::Denied, error.to_string()).with_source(error)
    }
}

/// An answer that is no message of SOAP. Its status, where it failed, is the web's own.
pub(crate) fn refused(refused: &Refused, status: StatusCode, headers: &HeaderMap) -> UpstreamError {
    let message = refused.to_string();
    match refused {
        Refused::Status(_) => WebStatus::of(status, headers).into_error(message),
        _ => UpstreamError::new(ErrorKind::BadReply, message),
    }
}

/// A value of the client that does not fit.
pub(crate) fn mismatch(mismatch: Mismatch) -> UpstreamError {
    UpstreamError::new(ErrorKind::BadInput, "the input does not fit the operation")
        .with_detail(mismatch.to_string())
        .with_source(mismatch)
}

/// A name that the WSDL does not know.
pub(crate) fn no_operation(error: NoOperation) -> Invalid {
    let invalid = Invalid::new(error.message).at("operation");
    match error.hint {
        Some(hint) => invalid.hint(hint),
        None => invalid,
    }
}

impl From<TokenError> for UpstreamError {
    fn from(error: TokenError) -> Self {
        Self::new(ErrorKind::Unavailable, "no UsernameToken can be made").not_executed().with_source(error)
    }
}

/// The service says that the call failed.
pub(crate) fn fault(fault: &Fault) -> UpstreamError {
    let message = format!("the service answered with the fault {}: {}", excerpt(&fault.code), excerpt(&fault.reason));
    let error = UpstreamError::new(ErrorKind::SoapFault, message).with_member("fault", fault.to_json());
    if fault.is_clients() {
        error.with_status(StatusCode::BAD_REQUEST)
    } else {
        error.counted_as(ErrorKind::FunctionError)
    }
}

/// A reply could not be read.
pub(crate) fn reply_body(error: &BodyError) -> UpstreamError {
    UpstreamError::reply_body("the service's answer", error)
}

/// The description of a service is not there yet.
pub(crate) fn no_contract(reason: &str) -> UpstreamError {
    UpstreamError::new(ErrorKind::Unavailable, format!("the WSDL could not be fetched yet: {reason}")).not_executed()
}

/// The description of a service could not be had anew.
pub(crate) fn not_fetched(failed: &NotFetched) -> UpstreamError {
    let (kind, reason) = match failed {
        NotFetched::Absent(reason) => (ErrorKind::Unreachable, reason),
        NotFetched::Wrong(reason) => (ErrorKind::BadReply, reason),
    };
    UpstreamError::new(kind, format!("the WSDL could not be fetched: {reason}"))
}

/// A function that turned out not to be there, once the description was.
pub(crate) fn unbound(invalid: &Invalid) -> UpstreamError {
    UpstreamError::new(ErrorKind::Denied, invalid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_without_a_fault_is_the_webs_own() {
        for (status, kind) in [(200, ErrorKind::BadReply), (404, ErrorKind::Denied), (503, ErrorKind::Unavailable)] {
            let status = StatusCode::from_u16(status).unwrap();
            let answer = callgate_wsdl::read(status, &HeaderMap::new(), b"").map(drop);
            let answer = answer.err().unwrap_or(Refused::Empty);
            let error = refused(&answer, status, &HeaderMap::new());
            assert_eq!(error.kind(), kind, "{status}");
        }
    }
}
