//! What a broker says when it closes a channel: the only way in which AMQP 0-9-1 refuses a message.

use lapin::{Error, ErrorKind, types::ShortString};

use crate::outgoing::Outgoing;

/// A refusal, in RabbitMQ's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) cause: Cause,
    pub(crate) text: String,
}

/// Why a message was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// There is no such exchange.
    NoExchange,
    /// The gateway's user may not publish to the exchange.
    Exchange,
    /// The gateway's user may not publish with this routing key.
    Key,
    /// The message is larger than the broker takes.
    TooLarge {
        /// The most bytes, where the broker said so.
        most: Option<usize>,
    },
    /// Something else about the message.
    Other,
}

impl Refusal {
    /// Reads the error that ended a channel. `None` where no message is to blame.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        let ErrorKind::ProtocolError(error) = error.kind() else { return None };
        Self::read(error.get_id(), error.get_message())
    }

    fn read(code: u16, text: &ShortString) -> Option<Self> {
        let text = text.as_str();
        let cause = match code {
            404 if text.contains("no exchange") => Cause::NoExchange,
            403 if text.contains("access to topic") => Cause::Key,
            403 => Cause::Exchange,
            406 if text.contains("larger than") => {
                Cause::TooLarge { most: text.rsplit(' ').next().and_then(|most| most.parse().ok()) }
            }
            311 => Cause::TooLarge { most: None },
            406 => Cause::Other,
            _ => return None,
        };
        Some(Self { cause, text: text.to_owned() })
    }

    /// Whether this message can be the one that was refused.
    pub(crate) fn fits(&self, message: &Outgoing) -> bool {
        match self.cause {
            Cause::NoExchange | Cause::Exchange | Cause::Key => {
                self.text.contains(&format!("exchange '{}'", exchange(message.exchange.as_str())))
            }
            Cause::TooLarge { most } => most.is_none_or(|most| message.payload.len() > most),
            Cause::Other => true,
        }
    }
}

/// The exchange's name in RabbitMQ's sentences.
fn exchange(name: &str) -> &str {
    if name.is_empty() { "amq.default" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(code: u16, text: &str) -> Option<Cause> {
        Refusal::read(code, &text.into()).map(|refusal| refusal.cause)
    }

    #[test]
    fn refusals_are_told_apart() {
        assert_eq!(cause(404, "NOT_FOUND - no exchange 'x' in vhost '/'"), Some(Cause::NoExchange));
        let exchange = "ACCESS_REFUSED - access to exchange 'x' in vhost '/' refused for user 'u'";
        assert_eq!(cause(403, exchange), Some(Cause::Exchange));
        let key = "ACCESS_REFUSED - access to topic 'k' in exchange 'x' in vhost '/' refused for user 'u'";
        assert_eq!(cause(403, key), Some(Cause::Key));
        let size = "PRECONDITION_FAILED - message size 2000 is larger than configured max size 1024";
        assert_eq!(cause(406, size), Some(Cause::TooLarge { most: Some(1024) }));
        assert_eq!(cause(406, "PRECONDITION_FAILED - invalid expiration"), Some(Cause::Other));
        assert_eq!(cause(320, "CONNECTION_FORCED - broker forced connection closure"), None);
        assert_eq!(cause(504, "CHANNEL_ERROR - expected 'channel.open'"), None);
    }
}
