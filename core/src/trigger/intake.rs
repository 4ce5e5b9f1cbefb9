//! Takes messages from a source, whatever happens to it.

use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use super::{
    Delivery,
    backoff::Backoff,
    erased::{AnyReceipt, AnyTrigger},
};
use crate::error::{ErrorKind, UpstreamError, chain};

/// The pauses between two tries to consume from a source that is down.
const PAUSES: Backoff = Backoff { initial: Duration::from_millis(250), max: Duration::from_secs(5) };

/// How long a source that has failed waits for a message before it may count as mended.
const SETTLED: Duration = Duration::from_secs(2);

/// A source and how it fares.
pub(super) struct Intake {
    name: Arc<str>,
    source: Arc<dyn AnyTrigger>,
    health: Mutex<Health>,
}

#[derive(Default)]
struct Health {
    failures: u32,
    /// When it is tried again.
    again: Option<Instant>,
    /// Why messages can't be had at the moment.
    trouble: Option<String>,
}

impl Intake {
    pub(super) fn new(name: Arc<str>, source: Arc<dyn AnyTrigger>) -> Self {
        Self { name, source, health: Mutex::default() }
    }

    /// Waits for the next message. It may be dropped at any await.
    pub(super) async fn next(&self) -> Delivery<Box<dyn AnyReceipt>> {
        loop {
            let again = self.health().again;
            if let Some(again) = again {
                sleep_until(again).await;
            }
            let next = self.one_more().await;
            let panicked = || UpstreamError::new(ErrorKind::Unavailable, "the source panicked");
            match next.unwrap_or_else(|_| Err(panicked())) {
                Ok(delivery) => {
                    self.recovered();
                    return delivery;
                }
                Err(error) => self.failed(&error),
            }
        }
    }

    /// Where the source has failed before, it counts as mended also without a message: when it waits for one, and says
    /// that it is ready.
    async fn one_more(&self) -> std::thread::Result<Result<Delivery<Box<dyn AnyReceipt>>, UpstreamError>> {
        let mut next = pin!(AssertUnwindSafe(async { self.source.next().await }).catch_unwind());
        if self.trouble().is_some() {
            tokio::select! {
                biased;
                next = &mut next => return next,
                () = self.mended() => self.recovered(),
            }
        }
        next.await
    }

    async fn mended(&self) {
        loop {
            sleep(SETTLED).await;
            let ready = AssertUnwindSafe(async { self.source.ready().await }).catch_unwind().await;
            if matches!(ready, Ok(Ok(()))) {
                return;
            }
        }
    }

    /// What a source that keeps nothing has left once it has stopped; `None` when that is all.
    pub(super) async fn rest(&self) -> Option<Delivery<Box<dyn AnyReceipt>>> {
        AssertUnwindSafe(async { self.source.next().await }).catch_unwind().await.ok()?.ok()
    }

    /// Why messages can't be had at the moment.
    pub(super) fn trouble(&self) -> Option<String> {
        self.health().trouble.clone()
    }

    /// The source; what it says of itself is asked of it.
    pub(super) fn source(&self) -> &dyn AnyTrigger {
        &*self.source
    }

    fn recovered(&self) {
        let former = std::mem::take(&mut *self.health());
        if former.trouble.is_some() {
            info!(trigger = &*self.name, "Messages come again.");
        }
    }

    /// Says it once, and not with every try.
    fn failed(&self, error: &UpstreamError) {
        let error = chain(error);
        let mut health = self.health();
        health.failures = health.failures.saturating_add(1);
        health.again = Some(Instant::now() + PAUSES.pause(health.failures));
        let news = health.trouble.is_none();
        health.trouble = Some(error.clone());
        drop(health);
        if news {
            warn!(trigger = &*self.name, error, "No messages can be had from the source; it is tried again for ever.");
        }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
