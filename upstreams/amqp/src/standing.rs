//! What the broker is known to take of a function.
//!
//! The broker answers a message that it refuses (no such exchange, no permission, too large) by closing the whole channel,
//! and what else was under way there has an unknown outcome. So what was never taken before goes alone first; once it
//! was, all that follows is pipelined.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use callgate_core::{PerWorker, Whose};

/// A session's number; each connection of an upstream has a new one, beginning with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) number: u64,
    pub(crate) whose: Whose,
}

/// What connections showed of a function: the common one, and each worker's own, as they may lead to several brokers.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    common: Known,
    own: OnceLock<PerWorker<Known>>,
}

/// What one connection showed of a function.
#[derive(Debug, Default)]
struct Known {
    /// The session in which a message was taken last.
    taken: AtomicU64,
    /// The largest one that was.
    largest: AtomicUsize,
    /// The session in which messages were refused by what their routing key says: the next may be refused again.
    doubtful: AtomicU64,
}

impl Standing {
    /// Whether a message of this size will surely not be refused.
    pub(crate) fn is_known(&self, session: Number, size: usize) -> bool {
        self.of(session).is_known(session.number, size)
    }

    /// The broker has taken a message.
    pub(crate) fn taken(&self, session: Number, size: usize) {
        self.of(session).taken(session.number, size);
    }

    /// The broker has refused one; `by_key` where that depends on the routing key.
    pub(crate) fn refused(&self, session: Number, by_key: bool) {
        self.of(session).refused(session.number, by_key);
    }

    /// What is known of the session's connection. Whatever a worker's own one brings is seen by that worker.
    fn of(&self, session: Number) -> &Known {
        let own = match session.whose {
            Whose::Common => None,
            Whose::Worker => self.own.get_or_init(PerWorker::default).here(),
        };
        own.map_or(&self.common, |own| own.get_or_init(Known::default))
    }
}

impl Known {
    fn is_known(&self, session: u64, size: usize) -> bool {
        self.taken.load(Ordering::Acquire) == session
            && self.largest.load(Ordering::Relaxed) >= size
            && self.doubtful.load(Ordering::Relaxed) != session
    }

    fn taken(&self, session: u64, size: usize) {
        if self.taken.load(Ordering::Acquire) == session {
            // Most are not the largest: look before writing to a place that all threads share.
            if self.largest.load(Ordering::Relaxed) < size {
                self.largest.fetch_max(size, Ordering::Relaxed);
            }
        } else {
            self.largest.store(size, Ordering::Relaxed);
            self.taken.store(session, Ordering::Release);
        }
    }

    fn refused(&self, session: u64, by_key: bool) {
        self.taken.store(0, Ordering::Release);
        if by_key {
            self.doubtful.store(session, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use callgate_core::metrics::count_apart;

    use super::*;

    const FIRST: Number = Number { number: 1, whose: Whose::Common };
    const SECOND: Number = Number { number: 2, whose: Whose::Common };

    #[test]
    fn what_was_taken_once_is_known_for_the_session_and_up_to_its_size() {
        let standing = Standing::default();
        assert!(!standing.is_known(FIRST, 0));
        standing.taken(FIRST, 10);
        assert!(standing.is_known(FIRST, 10) && !standing.is_known(FIRST, 11) && !standing.is_known(SECOND, 1));
        standing.taken(FIRST, 5);
        assert!(standing.is_known(FIRST, 10));
        standing.taken(SECOND, 3);
        assert!(standing.is_known(SECOND, 3) && !standing.is_known(SECOND, 10));
    }

    #[test]
    fn what_was_refused_goes_alone_again() {
        let standing = Standing::default();
        standing.taken(FIRST, 10);
        standing.refused(FIRST, false);
        assert!(!standing.is_known(FIRST, 1));
        standing.taken(FIRST, 10);
        assert!(standing.is_known(FIRST, 1));
        standing.refused(FIRST, true);
        standing.taken(FIRST, 10);
        assert!(!standing.is_known(FIRST, 1), "another key may be refused again");
        standing.taken(SECOND, 10);
        assert!(standing.is_known(SECOND, 1));
    }

    #[test]
    fn each_connection_shows_for_itself() {
        let standing = Standing::default();
        standing.taken(FIRST, 10);
        std::thread::scope(|scope| {
            for worker in 0..2 {
                let standing = &standing;
                let shows = move || {
                    count_apart(worker);
                    let own = Number { number: 2 + u64::try_from(worker).unwrap(), whose: Whose::Worker };
                    assert!(!standing.is_known(own, 1) && standing.is_known(FIRST, 10));
                    standing.taken(own, 20);
                    assert!(standing.is_known(own, 20) && !standing.is_known(FIRST, 20));
                    standing.refused(own, true);
                    assert!(!standing.is_known(own, 1) && standing.is_known(FIRST, 10));
                };
                scope.spawn(shows).join().unwrap();
            }
        });
    }
}
