//! What the server's events tell of the connection to a bucket.

use async_nats::{ClientError, Event, ServerError};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::error::{Refused, refused};

/// How a connection is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connection {
    connects: u64,
    lost: bool,
    denials: u64,
    denied: String,
    failure: Option<String>,
}

impl Connection {
    /// Whether there is one at the moment.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        self.lost
    }

    /// Grows with each time that it is made.
    pub(super) const fn connects(&self) -> u64 {
        self.connects
    }

    /// Grows with each refusal.
    pub(super) const fn denials(&self) -> u64 {
        self.denials
    }

    /// What was refused last.
    pub(super) fn denied(&self) -> &str {
        &self.denied
    }

    /// Why the latest attempt to make it failed.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}

/// Keeps what an event tells.
pub(super) fn hear(event: &Event, known: &watch::Sender<Connection>) {
    match event {
        Event::Connected => known.send_modify(|known| {
            if known.lost {
                info!("The bucket of the configuration can be reached again.");
            }
            *known = Connection { connects: known.connects + 1, lost: false, failure: None, ..known.clone() };
        }),
        Event::Disconnected => {
            warn!(
                "The connection to the bucket of the configuration is lost; it is made again, and the configuration \
                 that is in force stays so."
            );
            known.send_modify(|known| known.lost = true);
        }
        Event::ServerError(ServerError::Other(text)) => {
            let what = match refused(text) {
                Some(Refused::Publish(subject)) => format!("publish to `{subject}`"),
                Some(Refused::Subscribe(subject)) => format!("subscribe to `{subject}`"),
                Some(Refused::Nonsense) | None => return warn!(error = text, "The NATS server reports an error."),
            };
            known.send_modify(|known| (known.denials, known.denied) = (known.denials + 1, what));
        }
        Event::ServerError(error) => failed(known, &error.to_string()),
        Event::ClientError(ClientError::Other(text)) => failed(known, text),
        Event::ClientError(error) => failed(known, &error.to_string()),
        other => debug!(event = %other, "The connection to the bucket tells something."),
    }
}

/// The log is told once of each reason.
fn failed(known: &watch::Sender<Connection>, why: &str) {
    if known.borrow().failure() == Some(why) {
        return;
    }
    warn!(error = why, "The bucket of the configuration can't be reached; it is tried again.");
    known.send_modify(|known| known.failure = Some(why.to_owned()));
}
