//! A connection with what it needs to go back to its pool.

use std::{future::poll_fn, sync::Arc};

use callgate_core::OpenConnection;

use super::link::Link;
use crate::pool::{self, Home};

/// A connection that is in use.
pub(crate) struct Connection {
    pub(crate) link: Link,
    pub(crate) home: Arc<Home>,
    /// Whether another request may follow, as far as the last reply's head says.
    pub(crate) reusable: bool,
    pub(crate) _open: OpenConnection,
}

impl Connection {
    /// Ends the use of the connection: into the pool if the exchange is complete, else it is closed.
    pub(crate) fn give_back(mut self: Box<Self>) {
        if self.reusable && self.link.is_idle() {
            pool::put(self);
        }
    }

    /// Lets a task drive the connection to the end of the exchange, for a request that is still being sent when the
    /// reply has begun: each direction goes on by itself.
    pub(crate) fn drive_alone(mut self: Box<Self>) {
        let shared = self.home.shared.clone();
        shared.context.spawn_here(async move {
            if poll_fn(|cx| self.link.poll_idle(cx)).await {
                self.give_back();
            } else if let Some(error) = self.link.take_error() {
                tracing::debug!(%error, "A connection ended while a request was being sent.");
            }
        });
    }
}
