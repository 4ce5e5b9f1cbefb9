//! Settles messages: within a time, and never silently.

use std::{future::Future, time::Duration};

use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::{Reply, erased::AnyReceipt};
use crate::error::{ErrorKind, UpstreamError, chain};

/// How long a source may take to be told what became of a message.
const PATIENCE: Duration = Duration::from_secs(10);

/// The shortest time between two renewals of a lease.
const SHORTEST_RENEWAL: Duration = Duration::from_millis(100);

/// Waits until the source has been told, or says that it has not.
pub(super) async fn told(trigger: &str, what: &'static str, telling: impl Future<Output = Result<(), UpstreamError>>) {
    let late = || UpstreamError::new(ErrorKind::Timeout, "it did not take it in time");
    if let Err(error) = timeout(PATIENCE, telling).await.unwrap_or_else(|_| Err(late())) {
        let error = chain(&error);
        warn!(trigger, what, error, "The source of a message was not told what became of it; it may come again.");
    }
}

/// Answers whoever waits for it.
pub(super) async fn reply(trigger: &str, receipt: &dyn AnyReceipt, reply: &Reply) {
    let late = || UpstreamError::new(ErrorKind::Timeout, "it was not sent in time");
    if let Err(error) = timeout(PATIENCE, receipt.reply(reply)).await.unwrap_or_else(|_| Err(late())) {
        warn!(trigger, error = chain(&error), "The reply to a message could not be sent.");
    }
}

/// Renews the lease of a message for as long as it is worked on.
pub(super) async fn renew(trigger: &str, receipt: &dyn AnyReceipt) -> std::convert::Infallible {
    let Some(lease) = receipt.lease() else { return std::future::pending().await };
    let pause = (lease / 3).max(SHORTEST_RENEWAL);
    loop {
        sleep(pause).await;
        if let Ok(Err(error)) = timeout(pause, receipt.renew()).await {
            debug!(trigger, error = chain(&error), "The lease of a message could not be renewed.");
        }
    }
}
