//! What the server's events tell, and watches for it.

use std::{collections::VecDeque, sync::Arc};

use async_nats::{ClientError, Event, ServerError, Subject};
use tokio::sync::watch;

use crate::{desk::Desk, error, refusals, trust::Trust, voice::Voice};

/// How many refusals are kept for calls that have not looked yet.
const KEPT_DENIALS: usize = 1024;
/// How many events wait in the client library for us; it drops those that come then, and tells nobody.
const EVENTS: u64 = 128;

/// What the server's events told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// Grows with each refusal.
    denials: u64,
    recent: VecDeque<(u64, Box<str>)>,
    /// Grows with each event.
    heard: u64,
    /// Why the inbox is of no use, if it isn't.
    pub(crate) deaf: Option<Arc<str>>,
    /// Grows when the server had to drop replies, as nobody read them.
    overruns: u64,
    /// Grows with each error that was provoked.
    provoked: u64,
    /// Grows when a connection is lost.
    losses: u64,
    pub(crate) connected: bool,
    /// Why the latest attempt to connect failed.
    pub(crate) failure: Option<Failure>,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) why: Arc<str>,
    /// The server refuses the gateway's credentials.
    pub(crate) denied: bool,
}

/// A watch for the server's refusal of one subject.
#[derive(Debug)]
pub(crate) struct Denial {
    state: watch::Receiver<Known>,
    since: u64,
    heard: u64,
    subject: Subject,
}

impl Denial {
    pub(crate) fn new(state: watch::Receiver<Known>, subject: Subject) -> Self {
        let (since, heard) = {
            let known = state.borrow();
            (known.denials, known.heard)
        };
        Self { state, since, heard, subject }
    }

    /// Ends when the server refuses the subject, else never.
    pub(crate) async fn refused(&mut self) {
        let (since, subject) = (self.since, &self.subject);
        if self.state.wait_for(|known| known.has_refused(since, subject)).await.is_err() {
            std::future::pending().await
        }
    }

    /// Whether the server refuses the subject.
    pub(crate) fn is_refused(&self) -> bool {
        self.state.borrow().has_refused(self.since, &self.subject)
    }

    /// Whether the refusal may be among what was dropped. For those who know that it would have come by now.
    pub(crate) fn may_be_missed(&self) -> bool {
        self.state.borrow().may_have_missed(self.heard)
    }
}

/// A watch for what makes a series of replies incomplete.
#[derive(Debug, Clone)]
pub(crate) struct Pulse {
    state: watch::Receiver<Known>,
    losses: u64,
    overruns: u64,
}

impl Pulse {
    pub(crate) fn new(state: watch::Receiver<Known>) -> Self {
        let (losses, overruns) = {
            let known = state.borrow();
            (known.losses, known.overruns)
        };
        Self { state, losses, overruns }
    }

    /// Ends when the connection is lost or replies were dropped, else never.
    pub(crate) async fn stop(&mut self) {
        let (losses, overruns) = (self.losses, self.overruns);
        if self.state.wait_for(|known| known.losses != losses || known.overruns != overruns).await.is_err() {
            std::future::pending().await
        }
    }

    /// Whether replies were dropped since this was asked last.
    pub(crate) fn take_overrun(&mut self) -> bool {
        let overruns = self.state.borrow().overruns;
        std::mem::replace(&mut self.overruns, overruns) != overruns
    }

    /// Whether replies were dropped.
    pub(crate) fn is_overrun(&self) -> bool {
        self.state.borrow().overruns != self.overruns
    }
}

/// Who hears the events of a connection.
#[derive(Debug)]
pub(crate) struct Ear {
    pub(crate) upstream: Arc<str>,
    /// The prefix of inboxes.
    pub(crate) inbox: String,
    pub(crate) known: watch::Sender<Known>,
    pub(crate) trust: Arc<Trust>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) voice: Voice,
}

impl Ear {
    /// Keeps what an event tells.
    pub(crate) fn hear(&self, event: &Event) {
        let Self { upstream, known, desk, voice, .. } = self;
        let upstream = &**upstream;
        known.send_modify(|known| known.heard += 1);
        match event {
            Event::Connected => {
                voice.connected(upstream);
                known.send_modify(|known| (known.connected, known.failure, known.deaf) = (true, None, None));
            }
            Event::Disconnected => {
                voice.lost(upstream);
                known.send_modify(|known| (known.connected, known.losses) = (false, known.losses + 1));
                desk.lose();
            }
            Event::LameDuckMode => voice.stopping(upstream),
            Event::SlowConsumer(_) => {
                known.send_modify(|known| known.overruns += 1);
                desk.suspect();
            }
            Event::ServerError(ServerError::Other(text)) => self.hear_error(text),
            Event::ServerError(ServerError::AuthorizationViolation) => self.failed("authorization violation"),
            Event::ServerError(other) => tracing::warn!(upstream, error = %other, "The NATS server reports an error."),
            Event::ClientError(ClientError::Other(text)) => self.failed(text),
            Event::ClientError(other) => self.failed(&other.to_string()),
            Event::Draining | Event::Closed => {}
        }
        if known.borrow().is_deaf() {
            desk.end();
        }
    }

    fn hear_error(&self, text: &str) {
        let Self { upstream, inbox, known, trust, desk, voice } = self;
        let upstream = &**upstream;
        match error::refused(text) {
            Some(error::Refused::Publish(subject)) => {
                tracing::warn!(
                    upstream,
                    subject,
                    "The NATS server refuses the subject: the gateway's user may not publish to it."
                );
                trust.withdraw(subject);
                known.send_modify(|known| known.deny(subject));
                desk.deny(subject);
            }
            Some(error::Refused::Subscribe(subject)) if refusals::is_provoked(subject) => {
                known.send_modify(|known| known.provoked += 1);
            }
            Some(error::Refused::Nonsense) => known.send_modify(|known| known.provoked += 1),
            Some(error::Refused::Subscribe(subject)) if subject.starts_with(inbox) => {
                let why = format!("the gateway's user may not subscribe to `{inbox}.>`, where it is answered");
                if voice.is_common() {
                    tracing::error!(upstream, subject, "{why}");
                }
                known.send_modify(|known| known.deaf = Some(why.into()));
            }
            Some(error::Refused::Subscribe(subject)) => {
                tracing::warn!(
                    upstream,
                    subject,
                    "The NATS server refuses the subject: the gateway's user may not subscribe to it."
                );
                known.send_modify(|known| known.deny(subject));
            }
            None => tracing::warn!(upstream, error = text, "The NATS server reports an error."),
        }
    }

    fn failed(&self, why: &str) {
        let failure = Failure {
            why: why.into(),
            denied: why.to_ascii_lowercase().contains("authori") || why.contains("authentication"),
        };
        // A broker that is down is tried for ever; the log is told once per reason.
        let news = self.known.borrow().failure.as_ref() != Some(&failure);
        self.voice.failed(&self.upstream, why, news);
        if news {
            self.known.send_modify(|known| known.failure = Some(failure));
        }
    }
}

impl Known {
    fn deny(&mut self, subject: &str) {
        self.denials += 1;
        self.recent.push_back((self.denials, subject.into()));
        if self.recent.len() > KEPT_DENIALS {
            self.recent.pop_front();
        }
    }

    /// Whether the inbox is of no use.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf.is_some()
    }

    fn has_refused(&self, since: u64, subject: &str) -> bool {
        let mut later = self.recent.iter().rev().take_while(|(number, _)| *number > since);
        later.any(|(_, denied)| **denied == *subject)
    }

    /// Whether an event may have been dropped since so many were heard. The library drops one only while as many wait
    /// as it keeps, and those are all heard before anything that comes later.
    pub(crate) fn may_have_missed(&self, heard: u64) -> bool {
        self.heard.saturating_sub(heard) >= EVENTS
    }

    /// How many events were heard.
    pub(crate) fn heard(&self) -> u64 {
        self.heard
    }

    /// How many errors were provoked.
    pub(crate) fn provoked(&self) -> u64 {
        self.provoked
    }

    /// How often a connection was lost.
    pub(crate) fn losses(&self) -> u64 {
        self.losses
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::places::{Awaits, Outcome};

    fn refusal(subject: &str) -> Event {
        Event::ServerError(ServerError::Other(format!("Permissions Violation for Publish to \"{subject}\"")))
    }

    fn ear() -> Ear {
        Ear {
            upstream: "n".into(),
            inbox: "_INBOX".to_owned(),
            known: watch::Sender::default(),
            trust: Arc::default(),
            desk: Arc::default(),
            voice: Voice::default(),
        }
    }

    #[test]
    fn a_refusal_counts_for_those_who_wait_for_its_subject() {
        let ear = ear();
        ear.hear(&refusal("early"));
        let [early, mine] = ["early", "mine"].map(|subject| Denial::new(ear.known.subscribe(), subject.into()));
        let enter = |subject: &str| ear.desk.enter(Awaits::Mark, Some(subject.into()), None).unwrap();
        let places = ["early", "mine"].map(enter);
        ear.trust.prove(&"mine".into(), 1);
        ear.hear(&refusal("mine"));
        assert!(mine.is_refused() && !early.is_refused() && !ear.trust.holds("mine", 1));
        let outcomes = places.map(|place| place.outcome().now_or_never());
        assert!(matches!(outcomes, [None, Some(Outcome::Denied)]), "{outcomes:?}");
    }

    #[test]
    fn a_refusal_may_be_missed_once_as_many_events_came_as_the_library_keeps() {
        let ear = ear();
        let mine = Denial::new(ear.known.subscribe(), "mine".into());
        for number in 0..EVENTS {
            assert!(!mine.may_be_missed(), "{number}");
            ear.hear(&refusal("other"));
        }
        assert!(mine.may_be_missed());
    }
}
