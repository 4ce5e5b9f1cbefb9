//! What goes wrong with NATS, as the core classifies it.

use std::{io, sync::Arc, time::Duration};

use async_nats::{ConnectError, PublishError, PublishErrorKind, SubscribeError};
use callgate_core::{ErrorKind, UpstreamError};

/// When to come back while the connection is being made again.
const SOON: Duration = Duration::from_secs(1);

/// A call or a connection failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NatsError {
    #[error("{0}")]
    Settings(String),
    #[error("the credentials in {file} can't be read")]
    Credentials { file: String, source: io::Error },
    #[error("no connection can be set up")]
    Connect(#[source] ConnectError),
    #[error("the inbox can't be subscribed to")]
    Subscribe(#[source] SubscribeError),
    #[error("there is no connection to NATS{}", .why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    Disconnected { why: Option<Arc<str>> },
    #[error("the NATS server refuses the gateway: {why}")]
    Refused { why: Arc<str> },
    #[error("{why}")]
    Deaf { why: Arc<str> },
    #[error("the upstream is closed")]
    Closed,
    #[error("the gateway's user may not publish to `{subject}`")]
    Denied { subject: String },
    #[error("the connection was lost before the server confirmed the message to `{subject}`")]
    Unknown { subject: String },
    #[error("the server did not confirm the message to `{subject}` in time")]
    Late { subject: String },
    #[error("the gateway's user may not subscribe to `{subject}`")]
    Unsubscribable { subject: String },
    #[error("the consumer `{consumer}` of the stream `{stream}` can't be used: {told}")]
    Consumer { stream: String, consumer: String, told: String, kind: ErrorKind },
    #[error("no responder listens to `{subject}`")]
    NoResponder { subject: String },
    #[error("no stream takes messages to `{subject}`{}", .told.as_ref().map(|told| format!(": {told}")).unwrap_or_default())]
    NoStream { subject: String, told: Option<String> },
    #[error("the stream refused the message to `{subject}`: {told}")]
    StreamRefused { subject: String, told: String, kind: ErrorKind },
    #[error("the stream's acknowledgement for `{subject}` can't be read: {told}")]
    Acknowledgement { subject: String, told: String },
    #[error("the responder of `{subject}` answered the status {status}, which is none of HTTP")]
    Status { subject: String, status: String },
    #[error("the message to `{subject}` can't be published")]
    Publish { subject: String, source: PublishError },
}

impl NatsError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Settings(_) | Self::Credentials { .. } | Self::Connect(_) | Self::Subscribe(_) => {
                ErrorKind::Unavailable
            }
            Self::Disconnected { .. } | Self::Closed | Self::NoResponder { .. } => ErrorKind::Unavailable,
            Self::Refused { .. } | Self::Deaf { .. } | Self::Denied { .. } | Self::Unsubscribable { .. } => {
                ErrorKind::Denied
            }
            Self::Unknown { .. } | Self::Late { .. } => ErrorKind::Timeout,
            Self::NoStream { .. } => ErrorKind::Unroutable,
            Self::StreamRefused { kind, .. } | Self::Consumer { kind, .. } => *kind,
            Self::Acknowledgement { .. } | Self::Status { .. } => ErrorKind::BadReply,
            Self::Publish { source, .. } => match source.kind() {
                PublishErrorKind::MaxPayloadExceeded => ErrorKind::BodyTooLarge,
                PublishErrorKind::InvalidSubject => ErrorKind::BadInput,
                PublishErrorKind::Send => ErrorKind::Unavailable,
            },
        }
    }

    /// Whether nobody has the message, for certain. A task that ends ([`Closed`](Self::Closed)) may end after it was sent.
    fn is_unsent(&self) -> bool {
        match self {
            Self::Settings(_)
            | Self::Credentials { .. }
            | Self::Connect(_)
            | Self::Subscribe(_)
            | Self::Disconnected { .. }
            | Self::NoResponder { .. }
            | Self::Publish { .. } => true,
            Self::StreamRefused { kind, .. } => *kind == ErrorKind::Throttled,
            _ => false,
        }
    }

    /// What clients may know.
    fn detail(&self) -> Option<&'static str> {
        match self {
            Self::Unknown { .. } => Some(
                "The connection to the broker was lost before it confirmed the message; whether it has the message is unknown.",
            ),
            Self::Late { .. } => {
                Some("The broker did not confirm the message in time; whether it has the message is unknown.")
            }
            Self::Disconnected { .. } | Self::Closed => Some("There is no connection to the broker at the moment."),
            Self::NoResponder { .. } => Some("Nobody answers on the subject of this request at the moment."),
            Self::NoStream { .. } => Some("No stream takes the message."),
            Self::StreamRefused { kind: ErrorKind::Throttled, .. } => {
                Some("The stream takes no more messages at the moment.")
            }
            _ if self.kind() == ErrorKind::BodyTooLarge => Some("The message is larger than the broker takes."),
            _ => None,
        }
    }
}

impl From<NatsError> for UpstreamError {
    fn from(error: NatsError) -> Self {
        let (kind, detail, unsent) = (error.kind(), error.detail(), error.is_unsent());
        let mut told = Self::new(kind, error.to_string()).with_source(error);
        if let Some(detail) = detail {
            told = told.with_detail(detail);
        }
        if unsent {
            told = told.not_executed();
        }
        if kind == ErrorKind::Unavailable { told.with_retry_after(SOON) } else { told }
    }
}

/// What a server's error message refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused<'a> {
    Publish(&'a str),
    Subscribe(&'a str),
    /// A subscription that no server can make.
    Nonsense,
}

/// Reads `Permissions Violation for Publish to "orders"`, the form of nats-server.
pub(crate) fn refused(text: &str) -> Option<Refused<'_>> {
    let text = text.trim_matches('\'');
    if text.eq_ignore_ascii_case("Invalid Subject") {
        return Some(Refused::Nonsense);
    }
    let what = text.strip_prefix("Permissions Violation for ")?;
    let subject = what.split('"').nth(1)?;
    if what.starts_with("Publish") {
        Some(Refused::Publish(subject))
    } else if what.starts_with("Subscription") {
        Some(Refused::Subscribe(subject))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_refusal_is_read() {
        assert_eq!(refused("Permissions Violation for Publish to \"a.b\""), Some(Refused::Publish("a.b")));
        let inbox = "Permissions Violation for Subscription to \"_INBOX.1.*\"";
        assert_eq!(refused(inbox), Some(Refused::Subscribe("_INBOX.1.*")));
        assert_eq!(refused("'Invalid Subject'"), Some(Refused::Nonsense));
        assert_eq!(refused("Permissions Violation"), None);
        assert_eq!(refused("Slow Consumer"), None);
    }

    #[test]
    fn an_unknown_outcome_is_said_to_be_unknown() {
        let error = UpstreamError::from(NatsError::Unknown { subject: "a".into() });
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.detail().unwrap().contains("unknown") && !error.detail().unwrap().contains('`'));
        assert!(!error.is_not_executed() && !UpstreamError::from(NatsError::Closed).is_not_executed());
        assert!(UpstreamError::from(NatsError::NoResponder { subject: "a".into() }).is_not_executed());
    }
}
