//! What goes wrong at a SOAP service, classified.

use callgate_core::{BodyError, ErrorKind, Invalid, UpstreamError, excerpt};
use callgate_http::{SetupError, WebStatus};
use http::{HeaderMap, StatusCode};

use crate::{decode::Unfit, encode::Mismatch, fault::Fault, security::TokenError, source::NotFetched};

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

/// An answer that is no message of SOAP.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the service answered {0} without a fault")]
    Status(WebStatus),
    #[error("the service answered nothing")]
    Empty,
    #[error("the service answered with attachments (MIME parts), which are not supported")]
    Attachments,
    #[error("the service answered with `{}`, which is no XML", excerpt(kind))]
    NoXml { kind: String },
    #[error("the service's answer is in a character encoding that is not supported")]
    Encoding,
    #[error("the service's answer: {0}")]
    Xml(String),
    #[error("the service answered with the element `{}`, which is no envelope of SOAP", excerpt(root))]
    NoEnvelope { root: String },
    #[error("the service's answer does not fit its description: {0}")]
    Unfit(#[from] Unfit),
}

impl Refused {
    /// A status that tells more than what is wrong with the body, or that.
    pub(crate) fn status_or(status: StatusCode, headers: &HeaderMap, otherwise: Self) -> Self {
        if status.is_success() {
            return otherwise;
        }
        Self::Status(WebStatus::of(status, headers))
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
impl From<Mismatch> for UpstreamError {
    fn from(mismatch: Mismatch) -> Self {
        Self::new(ErrorKind::BadInput, "the input does not fit the operation")
            .with_detail(mismatch.to_string())
            .with_source(mismatch)
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
            let error = UpstreamError::from(Refused::status_or(status, &HeaderMap::new(), Refused::Empty));
            assert_eq!(error.kind(), kind, "{status}");
        }
    }

    #[test]
    fn a_text_of_others_is_one_bounded_line() {
        assert_eq!(excerpt("a\r\nb "), "a  b");
        assert!(excerpt(&"é".repeat(600)).len() < 520);
    }
}
