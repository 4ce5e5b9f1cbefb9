//! The failure of an upstream, classified by its author once and for all.

mod urls;

use std::{
    borrow::Cow,
    fmt,
    time::{Duration, SystemTime},
};

use callgate_transform::TransformError;
use http::{
    HeaderMap, StatusCode,
    header::{DATE, RETRY_AFTER},
};
use serde_json::{Map, Value};

use crate::body::{BodyError, BoxError};

/// What went wrong at an upstream. The core decides from it what is answered and whether a retry may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// DNS, connect or TLS failed: the function has not seen the request.
    Unreachable,
    /// No answer in time; whether the function ran is unknown.
    Timeout,
    /// The platform throttles, or a broker refuses to take more.
    Throttled,
    /// Nothing is there to serve the request now: no healthy endpoint, no responder, a pool that is full. Only
    /// [`UpstreamError::not_executed`] says that nothing was done.
    Unavailable,
    /// The gateway's own credentials, or the function's name, are refused.
    Denied,
    /// The function ran and failed.
    FunctionError,
    /// The reply is outside the kind's contract, or was cut off before its head could be sent on.
    BadReply,
    /// The request is larger than the kind allows.
    BodyTooLarge,
    /// A value of the client's request is missing or has the wrong form for the function.
    BadInput,
    /// A broker has no queue or stream that takes the message.
    Unroutable,
    /// A SOAP service answered with a fault.
    SoapFault,
    /// A gRPC service answered with a status other than OK.
    GrpcStatus,
}

/// An upstream could not serve an invocation.
///
/// `message` and `source` are for the log and may name addresses and functions. Clients see `detail`, or, without one,
/// a sentence that the core has for the kind; a detail must therefore hold no credential, ARN or internal address.
#[derive(Debug)]
pub struct UpstreamError {
    kind: ErrorKind,
    message: Cow<'static, str>,
    detail: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    status: Option<StatusCode>,
    not_executed: bool,
    counted_as: Option<ErrorKind>,
    members: Option<Box<Map<String, Value>>>,
    source: Option<BoxError>,
}

impl UpstreamError {
    /// An error of this kind; `message` is for the log.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            detail: None,
            retry_after: None,
            status: None,
            not_executed: kind == ErrorKind::Unreachable,
            counted_as: None,
            members: None,
            source: None,
        }
    }

    /// The request's body, which the kind needs whole, could not be read.
    pub fn request_body(error: BodyError) -> Self {
        let kind = match error {
            BodyError::TooLarge { .. } => ErrorKind::BodyTooLarge,
            _ => ErrorKind::BadInput,
        };
        Self::new(kind, "the request's body could not be read").with_source(error)
    }

    /// A request's body that was to be JSON and is none.
    pub fn no_json(error: &serde_json::Error) -> Self {
        Self::new(ErrorKind::BadInput, "the request's body is no JSON")
            .with_detail(format!("The body is no JSON: {error}."))
    }

    /// A reply could not be read to its end; `what` names it for the log. The cause goes into the message, not the source,
    /// so that nobody takes it for the error of the request's own body.
    pub fn reply_body(what: &str, error: &BodyError) -> Self {
        let message = match error {
            BodyError::Cut(cause) => format!("{what} was cut off: {cause}"),
            other => format!("{what} could not be read: {other}"),
        };
        Self::new(ErrorKind::BadReply, message)
    }

    /// A template of a target that the request's values do not fit; clients read the template's public detail.
    pub fn unrendered(message: impl Into<Cow<'static, str>>, error: TransformError) -> Self {
        let detail = error.public_detail().to_owned();
        Self::new(ErrorKind::BadInput, message).with_detail(detail).with_source(error)
    }

    /// The error behind this one, for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// A sentence that clients may read.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// How long the upstream asks to wait before another try, if it does.
    #[must_use]
    pub fn with_retry_after(mut self, wait: impl Into<Option<Duration>>) -> Self {
        self.retry_after = wait.into().or(self.retry_after);
        self
    }

    /// The status that is answered instead of the one of the failure's code: for what a protocol tells by one code, and
    /// blames on the request or on the service.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Certainly nothing was done for the call: it was not sent, or it was refused before the function could have begun.
    /// Then even a call that must not be made twice may be tried again. Without this the outcome is unknown, except for
    /// [`ErrorKind::Unreachable`].
    #[must_use]
    pub fn not_executed(mut self) -> Self {
        self.not_executed = true;
        self
    }

    /// What retries, circuits and triggers take it for beside its own kind: for what a protocol of a service's own calls
    /// an overload or an absence, such as a status of gRPC.
    #[must_use]
    pub fn counted_as(mut self, kind: ErrorKind) -> Self {
        self.counted_as = Some(kind);
        self
    }

    /// A member that the problem document has beside its own, for clients to read.
    #[must_use]
    pub fn with_member(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.members.get_or_insert_default().insert(name.into(), value.into());
        self
    }

    /// The class of the failure.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What happened, for the log.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What clients may read, where the author of the kind gave a sentence.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// How long the upstream asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The status that is answered, where it is not the one of the failure's code.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Whether nothing was done for the call, for certain.
    pub fn is_not_executed(&self) -> bool {
        self.not_executed
    }

    /// The kind that it counts as beside its own.
    pub fn counts_as(&self) -> Option<ErrorKind> {
        self.counted_as
    }

    /// What the problem document has beside its own members.
    pub fn members(&self) -> Option<&Map<String, Value>> {
        self.members.as_deref()
    }

    /// The error of the request's own body, if that is what ended the call.
    pub fn body_error(&self) -> Option<&BodyError> {
        self.source.as_deref().and_then(|source| BodyError::find(source))
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UpstreamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// How long a reply's `retry-after` asks to wait: in seconds, or until a date (RFC 9110 10.2.3), one that has gone by being no
/// time at all. A date is read by the clock of whoever wrote it, where the reply's `date` tells that.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let until = date(text)?;
    let now = headers.get(DATE).and_then(|sent| date(sent.to_str().ok()?)).unwrap_or_else(SystemTime::now);
    Some(until.duration_since(now).unwrap_or_default())
}

/// An error and all its causes in one line, for the log and for operators. A cause that only repeats what was said is left
/// out; of URLs neither user and password are told, nor the values of their queries.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    urls::without_credentials(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_the_requests_body_stays_findable_and_the_replys_does_not_pass_for_it() {
        let error = UpstreamError::request_body(BodyError::TooLarge { limit: 5 });
        assert!(matches!(error.body_error(), Some(BodyError::TooLarge { limit: 5 })));
        for broken in [BodyError::TooLarge { limit: 5 }, BodyError::Cut("reset".into())] {
            let error = UpstreamError::reply_body("the answer", &broken);
            assert!(error.body_error().is_none() && error.kind() == ErrorKind::BadReply);
            let cut = matches!(broken, BodyError::Cut(_));
            assert_eq!(error.message() == "the answer was cut off: reset", cut, "{error}");
        }
    }

    #[test]
    fn a_chain_of_causes_tells_no_credentials() {
        let error = UpstreamError::new(ErrorKind::Unreachable, "no connection to amqp://me:s3cret@a.test/v")
            .with_source("https://b.test/keys?code=s3cret answered 403");
        let told = "no connection to amqp://***@a.test/v: https://b.test/keys?code=*** answered 403";
        assert_eq!(chain(&error), told);
    }

    #[test]
    fn a_wait_is_read_in_seconds() {
        let asked = |text: &'static str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]));
        assert_eq!(asked(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!((asked("-1"), asked("1.5"), asked("soon")), (None, None, None));
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn a_wait_until_a_date_is_read_by_the_clock_of_who_asks() {
        let asked = |until: &str, sent: Option<&str>| {
            let sent = sent.map(|sent| (DATE, sent.parse().unwrap()));
            retry_after(&[(RETRY_AFTER, until.parse().unwrap())].into_iter().chain(sent).collect())
        };
        let (sent, until) = ("Fri, 31 Dec 1999 23:59:29 GMT", "Fri, 31 Dec 1999 23:59:59 GMT");
        assert_eq!(asked(until, Some(sent)), Some(Duration::from_secs(30)));
        assert_eq!(asked("Friday, 31-Dec-99 23:59:59 GMT", Some(sent)), Some(Duration::from_secs(30)));
        assert_eq!((asked(sent, Some(until)), asked(until, None)), (Some(Duration::ZERO), Some(Duration::ZERO)));
        assert_eq!(asked("Fri, 31 Dec 1999", Some(sent)), None);
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        let wait = asked(&soon, None).unwrap();
        assert!(wait <= Duration::from_secs(60) && wait > Duration::from_secs(30), "{wait:?}");
    }
}
