//! The steps in which a server ends, and whether it is ready.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

/// What the workers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Accept and serve.
    Serving,
    /// Accept no more, and finish what runs.
    Draining,
    /// Cut what still runs.
    Ended,
}

/// How a server begins to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It serves on for the time of `lame_duck`, so that load balancers learn of it.
    Announced,
    /// It accepts nothing more from now on.
    Prompt,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a drain that had to force is a failure of the process"]
pub struct Drained {
    /// Connections that were cut because they did not end in time, WebSockets among them. Zero is a clean end.
    pub cut: usize,
}

/// Whether the server wants traffic, as load balancers ask at `/ready`. Clones share the state.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicU8>);

const STARTING: u8 = 0;
const SERVING: u8 = 1;
const DRAINING: u8 = 2;

impl Readiness {
    /// The state before the server listens.
    pub fn starting() -> Self {
        Self::default()
    }

    /// Why the server is not ready, in a sentence; `None` if it is.
    pub fn reason(&self) -> Option<&'static str> {
        match self.0.load(Ordering::Relaxed) {
            STARTING => Some("the gateway is starting"),
            SERVING => None,
            _ => Some("the gateway is shutting down"),
        }
    }

    pub(crate) fn serves(&self) {
        self.0.store(SERVING, Ordering::Relaxed);
    }

    pub(super) fn drains(&self) {
        self.0.store(DRAINING, Ordering::Relaxed);
    }
}
