//! What the broker is known to take of a function.
//!
//! The broker answers a message that it refuses (no such exchange, no permission, too large) by closing the whole channel,
//! and what else was under way there has an unknown outcome. So what was never taken before goes alone first; once it
//! was, all that follows is pipelined.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A session's number; each connection has a new one, beginning with 1.
pub(crate) type Number = u64;

/// What one connection showed of a function.
#[derive(Debug, Default)]
pub(crate) struct Standing {
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
        self.taken.load(Ordering::Acquire) == session
            && self.largest.load(Ordering::Relaxed) >= size
            && self.doubtful.load(Ordering::Relaxed) != session
    }

    /// The broker has taken a message.
    pub(crate) fn taken(&self, session: Number, size: usize) {
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

    /// The broker has refused one; `by_key` where that depends on the routing key.
    pub(crate) fn refused(&self, session: Number, by_key: bool) {
        self.taken.store(0, Ordering::Release);
        if by_key {
            self.doubtful.store(session, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_once_is_known_for_the_session_and_up_to_its_size() {
        let standing = Standing::default();
        assert!(!standing.is_known(1, 0));
        standing.taken(1, 10);
        assert!(standing.is_known(1, 10) && !standing.is_known(1, 11) && !standing.is_known(2, 1));
        standing.taken(1, 5);
        assert!(standing.is_known(1, 10));
        standing.taken(2, 3);
        assert!(standing.is_known(2, 3) && !standing.is_known(2, 10));
    }

    #[test]
    fn what_was_refused_goes_alone_again() {
        let standing = Standing::default();
        standing.taken(1, 10);
        standing.refused(1, false);
        assert!(!standing.is_known(1, 1));
        standing.taken(1, 10);
        assert!(standing.is_known(1, 1));
        standing.refused(1, true);
        standing.taken(1, 10);
        assert!(!standing.is_known(1, 1), "another key may be refused again");
        standing.taken(2, 10);
        assert!(standing.is_known(2, 1));
    }
}
