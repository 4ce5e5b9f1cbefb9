//! What goes wrong with AMQP, as the core classifies it.

use std::{sync::Arc, time::Duration};

use callgate_core::{ErrorKind, UpstreamError};
use callgate_http::SetupError;

use crate::refusal::{Cause, Refusal};

/// When to come back while the connection is being made again.
const SOON: Duration = Duration::from_secs(1);

/// A call or a connection failed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum AmqpError {
    #[error("{0}")]
    Settings(String),
    #[error("TLS can't be set up")]
    Tls(#[source] Arc<SetupError>),
    #[error("there is no connection to the broker{}", .why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    Disconnected { why: Option<Arc<str>> },
    #[error("the broker refuses the gateway: {why}")]
    Refused { why: Arc<str> },
    #[error("the declarations failed: {why}")]
    Declared { why: String },
    #[error("there is no exchange `{exchange}`")]
    Missing { exchange: String },
    #[error("there is no queue `{queue}`")]
    NoQueue { queue: String },
    #[error("the broker sends no more messages of the queue `{queue}`: the queue or the connection is gone")]
    Ended { queue: String },
    #[error("the broker was not told what became of a message: {why}")]
    Unsettled { why: String },
    #[error("no channel can be opened")]
    Channel(#[source] lapin::Error),
    #[error("the broker blocks the connection, as it lacks memory or disk space")]
    Blocked,
    #[error("the broker took the message to {target} off the gateway too slowly, so it was not sent")]
    Busy { target: String },
    #[error("the connection was lost before the broker confirmed the message to {target}{}", .why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    Unknown { target: String, why: Option<String> },
    #[error("the broker did not confirm the message to {target} in time")]
    Late { target: String },
    #[error("no consumer replied to the message to {target} in time")]
    NoReply { target: String },
    #[error("the connection was lost while a reply to the message to {target} was waited for")]
    ReplyLost { target: String },
    #[error("the broker returned the message to {target}: {told}")]
    Returned { target: String, told: String },
    #[error("the broker can't take the message to {target} now (basic.nack)")]
    Nacked { target: String },
    #[error("the broker refused the message to {target}: {}", .refusal.text)]
    Rejected { target: String, refusal: Refusal },
    #[error("the message to {target} has {size} bytes, and the broker takes {most}")]
    TooLarge { target: String, size: usize, most: usize },
    #[error("the headers of the message to {target} may take {size} bytes, and a frame has {most}")]
    Headers { target: String, size: usize, most: usize },
    #[error("the consumer of {target} answered the status {status}, which is none of HTTP")]
    Status { target: String, status: String },
}

impl AmqpError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Settings(_)
            | Self::Tls(_)
            | Self::Disconnected { .. }
            | Self::Channel(_)
            | Self::NoQueue { .. }
            | Self::Ended { .. }
            | Self::Unsettled { .. } => ErrorKind::Unavailable,
            Self::Refused { .. } | Self::Declared { .. } => ErrorKind::Denied,
            Self::Blocked | Self::Busy { .. } | Self::Nacked { .. } => ErrorKind::Throttled,
            Self::Unknown { .. } | Self::Late { .. } | Self::NoReply { .. } | Self::ReplyLost { .. } => {
                ErrorKind::Timeout
            }
            Self::Returned { .. } | Self::Missing { .. } => ErrorKind::Unroutable,
            Self::Rejected { refusal, .. } => match refusal.cause {
                Cause::NoExchange => ErrorKind::Unroutable,
                Cause::Exchange | Cause::Key | Cause::Other => ErrorKind::Denied,
                Cause::TooLarge { .. } => ErrorKind::BodyTooLarge,
            },
            Self::TooLarge { .. } | Self::Headers { .. } => ErrorKind::BodyTooLarge,
            Self::Status { .. } => ErrorKind::BadReply,
        }
    }

    /// Whether nobody has the message, for certain. One that a queue refuses ([`Nacked`](Self::Nacked)) another queue may
    /// have.
    fn is_unsent(&self) -> bool {
        matches!(
            self,
            Self::Settings(_)
                | Self::Tls(_)
                | Self::Disconnected { .. }
                | Self::Channel(_)
                | Self::Blocked
                | Self::Busy { .. }
        )
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
            Self::NoReply { .. } => Some("Nobody replied to the message in time; whether it was worked on is unknown."),
            Self::ReplyLost { .. } => Some(
                "The connection to the broker was lost while a reply was waited for; whether the message was worked on is unknown.",
            ),
            Self::Blocked => Some("The broker takes no messages now, as it lacks memory or disk space."),
            Self::Busy { .. } => Some("The broker takes messages too slowly; this one was not sent."),
            Self::Nacked { .. } => Some("The broker could not take the message: a queue is full, or fails."),
            Self::Returned { .. } => Some("The broker has no queue that takes the message."),
            Self::Rejected { refusal, .. } if refusal.cause == Cause::NoExchange => {
                Some("The broker has no exchange of the function's name.")
            }
            Self::Rejected { .. } | Self::TooLarge { .. } if self.kind() == ErrorKind::BodyTooLarge => {
                Some("The message is larger than the broker takes.")
            }
            Self::Headers { .. } => Some("The message's headers are larger than the broker takes."),
            _ => None,
        }
    }
}

impl From<AmqpError> for UpstreamError {
    fn from(error: AmqpError) -> Self {
        let (kind, detail, unsent) = (error.kind(), error.detail(), error.is_unsent());
        let mut told = Self::new(kind, error.to_string()).with_source(error);
        if let Some(detail) = detail {
            told = told.with_detail(detail);
        }
        if unsent {
            told = told.not_executed();
        }
        match kind {
            ErrorKind::Unavailable | ErrorKind::Throttled => told.with_retry_after(SOON),
            _ => told,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> String {
        "`orders` of `events`".to_owned()
    }

    #[test]
    fn an_unknown_outcome_is_said_to_be_unknown() {
        for error in [
            AmqpError::Unknown { target: target(), why: None },
            AmqpError::Late { target: target() },
            AmqpError::NoReply { target: target() },
            AmqpError::ReplyLost { target: target() },
        ] {
            let error = UpstreamError::from(error);
            assert_eq!(error.kind(), ErrorKind::Timeout);
            assert!(error.detail().unwrap().contains("unknown") && !error.detail().unwrap().contains('`'));
            assert!(!error.is_not_executed());
        }
    }

    #[test]
    fn each_refusal_has_its_answer() {
        let kind = |cause| {
            let refusal = Refusal { cause, text: "told".to_owned() };
            let error = UpstreamError::from(AmqpError::Rejected { target: target(), refusal });
            assert!(error.detail().is_none_or(|detail| !detail.contains('`') && !detail.contains("told")));
            error.kind()
        };
        assert_eq!(kind(Cause::NoExchange), ErrorKind::Unroutable);
        assert_eq!(kind(Cause::Exchange), ErrorKind::Denied);
        assert_eq!(kind(Cause::Key), ErrorKind::Denied);
        assert_eq!(kind(Cause::TooLarge { most: None }), ErrorKind::BodyTooLarge);
    }

    #[test]
    fn who_is_throttled_is_told_when_to_come_back() {
        for error in [AmqpError::Blocked, AmqpError::Busy { target: target() }, AmqpError::Nacked { target: target() }]
        {
            // Another queue than the one that is full may have taken it.
            let is_unsent = !matches!(error, AmqpError::Nacked { .. });
            let error = UpstreamError::from(error);
            assert_eq!((error.kind(), error.is_not_executed()), (ErrorKind::Throttled, is_unsent));
            assert!(error.retry_after().is_some() && error.detail().is_some());
        }
    }
}
