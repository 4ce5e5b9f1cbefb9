//! Which subjects the server is known to take messages of, and how many messages may wait to learn it.
//!
//! A refusal is an event of the client library, which keeps few of them and drops the others without a word. So only few
//! messages that may be refused are under way at a time; all others wait for their turn.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_nats::Subject;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::NatsError;

/// Subjects that are remembered.
const TRUSTED: usize = 16 * 1024;
/// Messages of other subjects that may be under way: a message may see the refusals of two generations before it knows
/// its own outcome, which together are still fewer than the library keeps.
const UNPROVEN: usize = 48;

/// By which connection each subject was proven. Clients may choose subjects, so how they are hashed is not to be foretold.
type Subjects = HashMap<Box<str>, u64, foldhash::quality::RandomState>;

/// What is known of subjects.
#[derive(Debug)]
pub(crate) struct Trust {
    subjects: Mutex<Subjects>,
    unproven: Semaphore,
}

/// The permission to publish one message.
#[derive(Debug)]
pub(crate) struct Turn<'t> {
    /// How often the connection had been made.
    pub(crate) connects: u64,
    /// Kept until it is known whether the message was refused; none for a subject that is trusted.
    pub(crate) unproven: Option<SemaphorePermit<'t>>,
}

impl Default for Trust {
    fn default() -> Self {
        Self { subjects: Mutex::default(), unproven: Semaphore::new(UNPROVEN) }
    }
}

impl Trust {
    /// Waits until a message of this subject may be published; `connects` tells how often the connection was made.
    pub(crate) async fn turn(&self, subject: &str, connects: impl Fn() -> u64) -> Result<Turn<'_>, NatsError> {
        let now = connects();
        if self.holds(subject, now) {
            return Ok(Turn { connects: now, unproven: None });
        }
        let permit = self.unproven.acquire().await.map_err(|_| NatsError::Closed)?;
        // Others may have proven the subject, and the connection may be another.
        let now = connects();
        let unproven = (!self.holds(subject, now)).then_some(permit);
        Ok(Turn { connects: now, unproven })
    }

    /// Whether the server takes messages of this subject in this connection.
    pub(crate) fn holds(&self, subject: &str, connects: u64) -> bool {
        self.lock().get(subject) == Some(&connects)
    }

    /// Notes that the server took a message of this subject.
    pub(crate) fn prove(&self, subject: &Subject, connects: u64) {
        let mut subjects = self.lock();
        if subjects.get(subject.as_str()) == Some(&connects) {
            return;
        }
        if subjects.len() >= TRUSTED {
            subjects.clear();
        }
        subjects.insert(subject.as_str().into(), connects);
    }

    /// Notes that the server refused the subject.
    pub(crate) fn withdraw(&self, subject: &str) {
        self.lock().remove(subject);
    }

    fn lock(&self) -> MutexGuard<'_, Subjects> {
        self.subjects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_subject_is_trusted_in_the_connection_that_proved_it() {
        let trust = Trust::default();
        trust.prove(&"a".into(), 1);
        assert!(trust.holds("a", 1) && !trust.holds("a", 2) && !trust.holds("b", 1));
        trust.prove(&"a".into(), 2);
        assert!(trust.holds("a", 2));
        trust.withdraw("a");
        assert!(!trust.holds("a", 2));
    }

    #[test]
    fn unproven_messages_wait_for_their_turn_and_learn_what_others_proved() {
        let (trust, connects) = (Trust::default(), AtomicU64::new(1));
        let turn = || trust.turn("a", || connects.load(Ordering::Relaxed));
        let mut turns: Vec<_> = (0..UNPROVEN).map(|_| turn().now_or_never().unwrap().unwrap()).collect();
        assert!(turns.iter().all(|turn| turn.unproven.is_some()));
        let mut next = Box::pin(turn());
        assert!((&mut next).now_or_never().is_none());
        connects.store(2, Ordering::Relaxed);
        trust.prove(&"a".into(), 2);
        turns.pop();
        let next = next.now_or_never().unwrap().unwrap();
        assert!(next.connects == 2 && next.unproven.is_none());
        assert!(turn().now_or_never().unwrap().unwrap().unproven.is_none(), "what is trusted never waits");
    }
}
