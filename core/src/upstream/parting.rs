//! What a worker that ends still does for its own connections.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a worker that ends waits for brokers that don't answer.
const PATIENCE: Duration = Duration::from_secs(1);

thread_local! {
    static PARTING: Parting = Parting::default();
}

/// A thread's end, and who has something to do before it.
#[derive(Debug, Clone, Default)]
pub(super) struct Parting {
    pub(super) begun: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl Parting {
    /// The calling thread's.
    pub(super) fn here() -> Self {
        PARTING.with(Self::clone)
    }
}

/// Lets the calling worker's own connections to brokers go as a broker wants it, before its runtime ends with all that lives
/// there. To be called once, by the worker that has answered everything; takes a second at most.
pub async fn part_from_brokers() {
    let Parting { begun, tasks } = Parting::here();
    begun.cancel();
    tasks.close();
    // A broker that is silent finds out by itself.
    drop(timeout(PATIENCE, tasks.wait()).await);
}
