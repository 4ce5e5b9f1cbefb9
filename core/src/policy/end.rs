//! What a call came to, for those that decide by it: `retry`, `circuit_breaker` and triggers.

use http::StatusCode;

use crate::{
    error::{ErrorKind, UpstreamError},
    failure::Failure,
    invocation::Response,
    respond::{self, Code},
};

/// The end of a call. What is not the upstream's doing is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct End {
    /// The failure of the gateway.
    pub(crate) code: Option<Code>,
    /// What a failure that the protocol of a service tells is like.
    pub(crate) counted_as: Option<Code>,
    /// The status that the function chose, or that stands for what its protocol tells.
    pub(crate) status: Option<StatusCode>,
}

impl End {
    pub(crate) fn of(reply: &Result<Response, Failure>) -> Self {
        match reply {
            Ok(response) => Self::answered(response),
            Err(failure) => Self::failed(failure),
        }
    }

    /// A failure's end, however often it was tried.
    pub(crate) fn failed(failure: &Failure) -> Self {
        match failure.cause() {
            Failure::TimedOut => Self { code: Some(Code::UpstreamTimeout), ..Self::default() },
            Failure::Upstream(error) => Self::told(error),
            _ => Self::default(),
        }
    }

    /// The end of a failure that is answered, whoever's doing it is.
    pub(crate) fn of_failure(failure: &Failure) -> Self {
        Self { code: Some(failure.into()), ..Self::failed(failure) }
    }

    fn told(error: &UpstreamError) -> Self {
        let code = Code::from(error.kind());
        let status = match error.kind() {
            ErrorKind::GrpcStatus => Some(error.status().unwrap_or(code.status())),
            // A fault is an answer: that of a service that works has the status 500 by SOAP's binding to HTTP, and the 502
            // that clients get for it is the gateway's own.
            ErrorKind::SoapFault => Some(error.status().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)),
            _ => None,
        };
        Self { code: Some(code), counted_as: error.counts_as().map(Code::from), status }
    }

    /// A reply of gRPC that has nothing but a status tells it in its head, and is 200 for HTTP.
    fn answered(response: &Response) -> Self {
        let status = response.status();
        match respond::told_by_grpc(response) {
            Some((status, counted_as)) => Self { code: None, counted_as, status: Some(status) },
            None => Self { status: Some(status), ..Self::default() },
        }
    }

    /// Whether it is the answer that was asked for.
    pub(crate) fn is_good(self) -> bool {
        self.code.is_none() && self.status.is_some_and(|status| status.as_u16() < 300)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Reason;

    fn is(word: &str, end: End) -> bool {
        serde_json::from_value::<Reason>(word.into()).unwrap().is_end(end)
    }

    fn answered(status: u16, grpc: &'static str) -> End {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.headers_mut().insert("content-type", "application/grpc+proto".parse().unwrap());
        response.headers_mut().insert("grpc-status", grpc.parse().unwrap());
        End::of(&Ok(response))
    }

    fn failed(error: UpstreamError) -> End {
        End::of(&Err(Failure::Upstream(error)))
    }

    #[test]
    fn a_status_of_grpc_is_what_it_says() {
        assert!(answered(200, "0").is_good() && !answered(200, "14").is_good() && !answered(500, "0").is_good());
        for (code, word) in [("14", "unavailable"), ("8", "throttled"), ("4", "timeout"), ("14", "503"), ("13", "5xx")]
        {
            assert!(is(word, answered(200, code)), "{code} {word}");
        }
        for (code, word) in [("13", "unavailable"), ("5", "5xx"), ("0", "503"), ("x", "503")] {
            assert!(!is(word, answered(200, code)), "{code} {word}");
        }
    }

    #[test]
    fn a_failure_is_known_by_what_it_counts_as_and_by_its_status_too() {
        let grpc = || UpstreamError::new(ErrorKind::GrpcStatus, "told").with_status(StatusCode::SERVICE_UNAVAILABLE);
        assert!(is("503", failed(grpc())) && is("5xx", failed(grpc())) && !is("unavailable", failed(grpc())));
        assert!(is("unavailable", failed(grpc().counted_as(ErrorKind::Unavailable))));
        let fault = || UpstreamError::new(ErrorKind::SoapFault, "told");
        assert!(is("500", failed(fault())) && is("5xx", failed(fault())) && !is("502", failed(fault())));
        assert!(is("function_error", failed(fault().counted_as(ErrorKind::FunctionError))));
        assert!(!Reason::of_attempts().iter().any(|reason| reason.is_end(failed(fault()))), "it is an answer");
        assert!(!is("5xx", failed(fault().with_status(StatusCode::BAD_REQUEST))));
        let plain = UpstreamError::new(ErrorKind::BadInput, "told").with_status(StatusCode::SERVICE_UNAVAILABLE);
        assert!(!is("503", failed(plain)), "the gateway chose it");
    }

    #[test]
    fn what_is_not_the_upstreams_doing_is_no_end() {
        for failure in [Failure::NoRoute, Failure::Undecided] {
            assert_eq!(End::of(&Err(failure)), End::default());
        }
        assert!(!End::default().is_good());
    }
}
