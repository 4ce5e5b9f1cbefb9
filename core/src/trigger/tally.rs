//! What a trigger did so far, in numbers.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

/// What became of the messages of a trigger since the gateway started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Taken from the source, each delivery counted.
    pub received: u64,
    /// Processed: the function answered 2xx.
    pub succeeded: u64,
    /// Failed, and left for another try.
    pub retried: u64,
    /// Taken by the dead letter.
    pub dead_lettered: u64,
    /// Failed for good, or not processed when the gateway ended, and dropped: the source keeps nothing, and no dead letter
    /// has it.
    pub dropped: u64,
    /// Given back to the source because the gateway ended.
    pub returned: u64,
}

/// A trigger as operators see it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TriggerState {
    /// The trigger's name.
    pub name: Arc<str>,
    /// The kind of its source.
    pub kind: &'static str,
    /// Where its messages go.
    pub to: String,
    /// How many messages are worked on now.
    pub running: usize,
    /// How many the gateway keeps until they are tried again.
    pub waiting: usize,
    /// What became of the others.
    pub tally: Tally,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) received: AtomicU64,
    pub(super) succeeded: AtomicU64,
    pub(super) retried: AtomicU64,
    pub(super) dead_lettered: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) returned: AtomicU64,
    running: AtomicUsize,
}

/// A message that is worked on, until this is dropped.
pub(super) struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Counters {
    /// Begins to work on a message. A slot is no sign of it: a trigger that waits for a message holds one.
    pub(super) fn run(&self) -> Running<'_> {
        self.running.fetch_add(1, Relaxed);
        Running(&self.running)
    }

    /// How many messages are worked on.
    pub(super) fn running(&self) -> usize {
        self.running.load(Relaxed)
    }

    pub(super) fn tally(&self) -> Tally {
        Tally {
            received: self.received.load(Relaxed),
            succeeded: self.succeeded.load(Relaxed),
            retried: self.retried.load(Relaxed),
            dead_lettered: self.dead_lettered.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            returned: self.returned.load(Relaxed),
        }
    }
}

/// One more.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
