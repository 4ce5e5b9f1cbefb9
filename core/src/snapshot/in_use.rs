//! How long a snapshot is in use after another has taken its place.

use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

/// Held by all that may still call functions of a configuration that a reload has replaced: upstreams that the new one
/// lacks are closed once the last of these is dropped.
///
/// A request that asks for an upgrade has one in its extensions. A kind that joins the two connections keeps it until
/// they have ended.
#[derive(Debug, Clone)]
pub struct InUse(#[allow(dead_code, reason = "what matters is that it is dropped")] Arc<DropGuard>);

impl InUse {
    /// The first of them, and what is cancelled when the last is dropped.
    pub(crate) fn new() -> (Self, CancellationToken) {
        let ended = CancellationToken::new();
        (Self(Arc::new(ended.clone().drop_guard())), ended)
    }
}
