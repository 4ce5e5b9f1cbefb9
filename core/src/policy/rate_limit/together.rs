//! Counters that gateways share, and what is known of whether they can be asked.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use crate::{
    error::chain,
    remote::{Counters, Draw, Drawn},
};

/// How long nobody is asked after a failure: a request must not wait each time for what is down.
const PAUSE: Duration = Duration::from_secs(1);

/// Counters with a time limit.
pub(crate) struct Shared {
    counters: Arc<dyn Counters>,
    timeout: Duration,
    origin: Instant,
    /// When they are asked again, in milliseconds from the origin; 0 while they answer.
    again: AtomicU64,
}

impl Shared {
    pub(crate) fn new(counters: Arc<dyn Counters>, timeout: Duration) -> Self {
        Self { counters, timeout, origin: Instant::now(), again: AtomicU64::new(0) }
    }

    /// Takes one of each; `None` when they can't be asked.
    pub(super) async fn take(&self, draws: Vec<Draw>) -> Option<Vec<Drawn>> {
        let again = self.again.load(Ordering::Relaxed);
        if again > self.now() {
            return None;
        }
        let wanted = draws.len();
        let reason = match timeout(self.timeout, self.counters.take(draws)).await {
            Ok(Ok(drawn)) if drawn.len() == wanted => {
                if again != 0 && self.again.swap(0, Ordering::Relaxed) != 0 {
                    info!("The shared counters of rate limits answer again.");
                }
                return Some(drawn);
            }
            Ok(Ok(_)) => "they answered for another number of limits".to_owned(),
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("no answer within {} ms", self.timeout.as_millis()),
        };
        let next = self.now() + u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
        if self.again.swap(next.max(1), Ordering::Relaxed) == 0 {
            warn!(reason, "The shared counters of rate limits can't be asked: `on_failure` holds until they answer.");
        }
        None
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::{
        error::{ErrorKind, UpstreamError},
        upstream::BoxFuture,
    };

    /// Counters that fail as long as a number is not used up, by silence or by an error.
    #[derive(Default)]
    struct Failing {
        asked: AtomicUsize,
        failures: AtomicUsize,
        silent: bool,
    }

    struct Handle(Arc<Failing>);

    impl Counters for Handle {
        fn take(&self, draws: Vec<Draw>) -> BoxFuture<'static, Result<Vec<Drawn>, UpstreamError>> {
            self.0.asked.fetch_add(1, Ordering::SeqCst);
            let fails =
                self.0.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            let silent = self.0.silent;
            Box::pin(async move {
                match (fails, silent) {
                    (true, true) => std::future::pending().await,
                    (true, false) => Err(UpstreamError::new(ErrorKind::Unreachable, "down")),
                    (false, _) => {
                        let drawn =
                            Drawn { allowed: true, remaining: 1, reset: Duration::ZERO, retry_after: Duration::ZERO };
                        Ok(vec![drawn; draws.len()])
                    }
                }
            })
        }
    }

    fn draw() -> Vec<Draw> {
        vec![Draw::new("a".to_owned(), Duration::from_secs(1), 1)]
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_nobody_waits_for_them_for_a_while() {
        for silent in [true, false] {
            let failing = Arc::new(Failing { failures: 2.into(), silent, ..Failing::default() });
            let shared = Shared::new(Arc::new(Handle(Arc::clone(&failing))), Duration::from_millis(100));
            let started = Instant::now();
            for _ in 0..50 {
                assert!(shared.take(draw()).await.is_none());
            }
            assert!(started.elapsed() <= Duration::from_millis(100));
            assert_eq!(failing.asked.load(Ordering::SeqCst), 1);
            tokio::time::advance(PAUSE).await;
            assert!(shared.take(draw()).await.is_none());
            tokio::time::advance(PAUSE).await;
            assert!(shared.take(draw()).await.is_some());
            assert!(shared.take(draw()).await.is_some());
            assert_eq!(failing.asked.load(Ordering::SeqCst), 4);
        }
    }
}
