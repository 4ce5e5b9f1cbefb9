//! What the connections of an upstream have in common.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use callgate_core::{Context, UpstreamError, Whose};

use crate::{address::Server, config::Config, dial::Dialing, standing::Number};

/// What the connections of an upstream have in common, and what the log is told of them: an outage of the broker once,
/// rather than once for each worker.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) dialing: Dialing,
    upstream: String,
    /// How many sessions there were.
    sessions: AtomicU64,
    /// Whether there is a session of the common connection.
    common: AtomicBool,
    /// Whether it was told that a worker gets no connection.
    told: AtomicBool,
    /// How many connections the broker blocks.
    blocked: AtomicUsize,
}

impl Shared {
    /// Reads what is needed to connect.
    pub(crate) async fn new(config: Config, context: &Context) -> Result<Self, UpstreamError> {
        Ok(Self {
            dialing: Dialing::new(&config, context).await?,
            config,
            upstream: context.name().to_owned(),
            sessions: AtomicU64::default(),
            common: AtomicBool::default(),
            told: AtomicBool::default(),
            blocked: AtomicUsize::default(),
        })
    }

    /// The number of a new session.
    pub(crate) fn number(&self, whose: Whose) -> Number {
        Number { number: self.sessions.fetch_add(1, Ordering::Relaxed) + 1, whose }
    }

    /// A session has begun.
    pub(crate) fn connected(&self, whose: Whose, broker: &Server) {
        let upstream = &*self.upstream;
        match whose {
            Whose::Common => {
                self.common.store(true, Ordering::Relaxed);
                tracing::info!(upstream, %broker, "Connected to the AMQP broker.");
            }
            Whose::Worker => {
                self.told.store(false, Ordering::Relaxed);
                tracing::debug!(upstream, %broker, "A worker is connected to the AMQP broker.");
            }
        }
    }

    /// A session is over.
    pub(crate) fn lost(&self, whose: Whose, broker: &Server, why: &str) {
        let upstream = &*self.upstream;
        match whose {
            Whose::Common => {
                self.common.store(false, Ordering::Relaxed);
                tracing::warn!(upstream, %broker, error = why, "The connection to the AMQP broker is lost; it is made again.");
            }
            Whose::Worker => {
                tracing::debug!(upstream, %broker, error = why, "A worker's connection to the AMQP broker is lost; it is made again.");
            }
        }
    }

    /// There is no session to be had, for a reason that is new.
    pub(crate) fn failed(&self, whose: Whose, why: &str) {
        let upstream = &*self.upstream;
        match whose {
            Whose::Common => {
                tracing::warn!(upstream, error = why, "The AMQP broker can't be used; it is tried again.");
            }
            // With the common connection the whole broker is gone, which is told.
            Whose::Worker if self.common.load(Ordering::Relaxed) && !self.told.swap(true, Ordering::Relaxed) => {
                tracing::warn!(
                    upstream,
                    error = why,
                    "A worker gets no connection of its own to the AMQP broker; the common one serves its calls."
                );
            }
            Whose::Worker => tracing::debug!(upstream, error = why, "A worker can't connect to the AMQP broker."),
        }
    }

    /// The broker blocks a connection, until the guard is dropped.
    pub(crate) fn block(&self, reason: &str) -> Blocked<'_> {
        if self.blocked.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(upstream = self.upstream, reason, "The AMQP broker blocks the connection.");
        }
        Blocked(self)
    }

    /// Whether the broker blocks a connection. It tells those only that have published something.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed) > 0
    }
}

/// A connection that the broker blocks.
#[derive(Debug)]
pub(crate) struct Blocked<'a>(&'a Shared);

impl Blocked<'_> {
    /// The broker blocks it no more.
    pub(crate) fn end(self) {
        // The guard itself is one.
        if self.0.blocked.load(Ordering::Relaxed) == 1 {
            tracing::info!(upstream = self.0.upstream, "The AMQP broker takes messages again.");
        }
    }
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        self.0.blocked.fetch_sub(1, Ordering::Relaxed);
    }
}
