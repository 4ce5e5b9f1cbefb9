//! A connection with what it needs to go back to its pool.

use std::sync::Arc;

use callgate_core::OpenConnection;

use super::link::Link;
use crate::pool::{self, Home};

/// A connection that is in use.
pub(crate) struct Connection {
    pub(crate) link: Link,
    pub(crate) home: Arc<Home>,
    pub(crate) _open: OpenConnection,
}

impl Connection {
    /// Ends the use of the connection: into the pool if the exchange is complete, else it is closed.
    pub(super) fn give_back(mut self: Box<Self>) {
        if self.link.is_complete() {
            self.link.rest();
            pool::put(self);
        }
    }
}
