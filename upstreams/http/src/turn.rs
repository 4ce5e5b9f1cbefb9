//! Opening a connection that several requests could share: one opens it, the others wait for what comes of it.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

use crate::error::HttpError;

/// Lets one request at a time open a connection.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// How the last attempt failed, if it did.
    failed: Mutex<Option<HttpError>>,
    /// How many attempts have ended.
    ended: AtomicU64,
}

/// The right to open a connection. Dropped without an outcome, as when its request is given up, it is the next one's.
pub(crate) struct Attempt<'a> {
    failed: MutexGuard<'a, Option<HttpError>>,
    ended: &'a AtomicU64,
}

impl Turn {
    /// Waits for the attempt that is under way.
    ///
    /// # Errors
    /// An attempt that fails does so for all who wait for it: a peer that is down would cost each of them its own
    /// `connect_timeout`, one after the other.
    pub(crate) async fn take(&self) -> Result<Attempt<'_>, HttpError> {
        let before = self.ended.load(Ordering::Acquire);
        let failed = self.failed.lock().await;
        match &*failed {
            Some(error) if self.ended.load(Ordering::Acquire) != before => Err(error.again()),
            _ => Ok(Attempt { failed, ended: &self.ended }),
        }
    }
}

impl Attempt<'_> {
    /// There is a connection, or the error for all who wait.
    pub(crate) fn end(mut self, failure: Option<&HttpError>) {
        *self.failed = failure.map(HttpError::again);
        self.ended.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::FutureExt;

    use super::*;

    fn refused() -> HttpError {
        HttpError::Connect { host: "a:1".into(), source: io::ErrorKind::ConnectionRefused.into() }
    }

    #[test]
    fn a_failed_attempt_is_shared_by_those_who_waited_for_it() {
        let turn = Turn::default();
        let first = turn.take().now_or_never().unwrap().unwrap_or_else(|_| unreachable!());
        let (mut second, mut third) = (Box::pin(turn.take()), Box::pin(turn.take()));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        first.end(Some(&refused()));
        for waiter in [second, third] {
            let error = waiter.now_or_never().unwrap().err().unwrap();
            assert!(matches!(error, HttpError::Connect { .. }), "{error:?}");
        }
        assert!(turn.take().now_or_never().unwrap().is_ok(), "whoever comes later tries anew");
    }

    #[test]
    fn an_attempt_that_was_given_up_is_the_next_ones() {
        let turn = Turn::default();
        turn.take().now_or_never().unwrap().unwrap_or_else(|_| unreachable!()).end(Some(&refused()));
        let first = turn.take().now_or_never().unwrap();
        let mut second = Box::pin(turn.take());
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        assert!(second.now_or_never().unwrap().is_ok());
    }
}
