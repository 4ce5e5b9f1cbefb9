//! What operators read of an upstream's connections.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// How loud a connection is: those of the workers share the fate of the common one, which speaks for all of them.
#[derive(Debug, Clone)]
pub(crate) enum Voice {
    /// Of the common connection.
    Common(Arc<Said>),
    /// Of a worker's own.
    Own(Arc<Said>),
}

/// What the connections of an upstream have said.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// There is a common connection.
    common: AtomicBool,
    /// Why a worker has none of its own.
    alone: Mutex<Option<Box<str>>>,
}

impl Default for Voice {
    fn default() -> Self {
        Self::Common(Arc::default())
    }
}

impl Voice {
    pub(crate) fn is_common(&self) -> bool {
        matches!(self, Self::Common(_))
    }

    pub(crate) fn connected(&self, upstream: &str) {
        match self {
            Self::Common(said) => {
                said.common.store(true, Ordering::Relaxed);
                tracing::info!(upstream, "Connected to NATS.");
            }
            Self::Own(said) => {
                said.alone.lock().unwrap_or_else(PoisonError::into_inner).take();
                tracing::debug!(upstream, "A worker has a connection to NATS of its own.");
            }
        }
    }

    pub(crate) fn lost(&self, upstream: &str) {
        match self {
            Self::Common(said) => {
                said.common.store(false, Ordering::Relaxed);
                tracing::warn!(upstream, "The connection to NATS is lost; it is made again.");
            }
            Self::Own(_) => {
                tracing::debug!(upstream, "A worker's own connection to NATS is lost; it is made again.");
            }
        }
    }

    pub(crate) fn stopping(&self, upstream: &str) {
        if self.is_common() {
            tracing::info!(upstream, "The NATS server is about to stop.");
        }
    }

    /// An attempt to connect failed, and why; `news` says whether the one before it did not fail so.
    pub(crate) fn failed(&self, upstream: &str, why: &str, news: bool) {
        match self {
            Self::Common(_) if news => {
                tracing::warn!(upstream, error = why, "NATS can't be reached; it is tried again.");
            }
            Self::Common(_) => {}
            Self::Own(said) => {
                if said.is_alone(why) {
                    tracing::warn!(
                        upstream,
                        error = why,
                        "A worker can't make a connection to NATS of its own, which is tried again; the common one serves its calls."
                    );
                }
            }
        }
    }
}

impl Said {
    /// Whether it is news that a worker has no connection for this reason; what the common one lacks too is none.
    fn is_alone(&self, why: &str) -> bool {
        if !self.common.load(Ordering::Relaxed) {
            return false;
        }
        let mut alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        let news = alone.as_deref() != Some(why);
        if news {
            *alone = Some(why.into());
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once_for_all_workers_until_one_has_a_connection() {
        let said = Arc::<Said>::default();
        let [first, second] = [0, 1].map(|_| Voice::Own(Arc::clone(&said)));
        assert!(!said.is_alone("full"), "nobody has a connection");
        Voice::Common(Arc::clone(&said)).connected("n");
        assert!(said.is_alone("full"));
        first.failed("n", "full", true);
        assert!(!said.is_alone("full") && said.is_alone("refused"));
        second.connected("n");
        assert!(said.is_alone("refused"));
        Voice::Common(Arc::clone(&said)).lost("n");
        assert!(!said.is_alone("full"));
    }
}
