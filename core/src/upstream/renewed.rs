//! What a kind gets for a while and then has to get again: a token, a key that ends.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout, timeout_at},
};

use super::TokenGauge;
use crate::error::{ErrorKind, UpstreamError, chain};

/// How long before its end a value is renewed, if it lives that long.
const AHEAD: Duration = Duration::from_secs(300);
/// How long before the announced end a value is no longer handed out: a call with it still has to arrive.
const MARGIN: Duration = Duration::from_secs(2);
/// How often a value without an end is asked for again.
const REREAD: Duration = Duration::from_secs(900);
/// The least time between two questions.
const PAUSE: Duration = Duration::from_secs(2);
/// The least time after which a refused value is renewed: a remote may refuse for reasons that no new value mends.
const REFUSED: Duration = Duration::from_secs(30);
/// The longest wait after failures.
const LONGEST: Duration = Duration::from_secs(60);
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A value and how long it is good for, from now on.
#[derive(Debug)]
pub struct Lease<T> {
    /// The value.
    pub value: T,
    /// Its life; `None` for one without an end.
    pub life: Option<Duration>,
}

/// A value that is kept in force by one task: renewed ahead of its end, asked for by one question at a time, after
/// failures with growing and jittered waits, for ever. Calls read it without waiting.
///
/// While renewing fails the old value stays in force until its end. Then, or when there never was one, calls fail at
/// once with the reason of the last question.
///
/// Time is tokio's, so that tests may move it.
pub struct Renewed<T> {
    held: ArcSwapOption<Held<T>>,
    outcome: watch::Sender<Outcome>,
    stale: Notify,
    /// What it is, for messages: `the token for api://orders`.
    what: Box<str>,
    gauge: Option<Arc<TokenGauge>>,
}

struct Held<T> {
    value: Arc<T>,
    until: Option<Instant>,
}

/// What the last question brought.
#[derive(Debug, Clone)]
enum Outcome {
    Asking,
    Ready,
    Failed { kind: ErrorKind, reason: Arc<str>, again: Instant },
}

impl<T: Send + Sync + 'static> Renewed<T> {
    /// There is no value yet; [`keep`](Self::keep) gets it. `what` names the value in messages, and is no secret.
    pub fn new(what: impl Into<Box<str>>) -> Self {
        Self {
            held: ArcSwapOption::empty(),
            outcome: watch::Sender::new(Outcome::Asking),
            stale: Notify::new(),
            what: what.into(),
            gauge: None,
        }
    }

    /// Has operators see how renewing goes.
    #[must_use]
    pub fn counted(mut self, gauge: Arc<TokenGauge>) -> Self {
        self.gauge = Some(gauge);
        self
    }

    /// The value, if there is one that is still good.
    pub fn current(&self) -> Option<Arc<T>> {
        let held = self.held.load();
        let held = held.as_ref()?;
        held.until.is_none_or(|until| Instant::now() < until).then(|| Arc::clone(&held.value))
    }

    /// The value; waits for it only while the first question is under way.
    ///
    /// # Errors
    /// There is none, with the kind, the reason and the next try of the last question.
    pub async fn get(&self) -> Result<Arc<T>, UpstreamError> {
        if let Some(value) = self.current() {
            return Ok(value);
        }
        let mut outcome = self.outcome.subscribe();
        loop {
            let last = outcome.borrow_and_update().clone();
            if let Some(value) = self.current() {
                return Ok(value);
            }
            if let Outcome::Failed { kind, reason, again } = last {
                let message = format!("there is no {}: {reason}", self.what);
                let wait = again.saturating_duration_since(Instant::now());
                return Err(UpstreamError::new(kind, message).not_executed().with_retry_after(wait));
            }
            if outcome.changed().await.is_err() {
                return Err(UpstreamError::new(ErrorKind::Unavailable, "the gateway stops").not_executed());
            }
        }
    }

    /// Says that the remote refused the value, so that it is renewed before its time; at most every 30 seconds.
    pub fn refused(&self) {
        self.stale.notify_one();
    }

    /// Keeps the value in force, for ever: the one task that asks, to be started by [`Context::spawn`](super::Context).
    ///
    /// `ask` says by its error's kind what calls are answered while there is no value; a `retry_after` of it is kept.
    pub async fn keep<F, A>(&self, upstream: &str, ask: F)
    where
        F: Fn() -> A + Send,
        A: Future<Output = Result<Lease<T>, UpstreamError>> + Send,
    {
        let mut failures = 0_u32;
        loop {
            let asked = match timeout(PATIENCE, ask()).await {
                Ok(Ok(lease)) if lease.life.is_some_and(|life| life < PAUSE) => Err(ended()),
                Ok(asked) => asked,
                Err(_) => {
                    let message = format!("no answer within {} s", PATIENCE.as_secs());
                    Err(UpstreamError::new(ErrorKind::Unavailable, message))
                }
            };
            let asked_at = Instant::now();
            let wait = match asked {
                Ok(lease) => {
                    if failures > 0 {
                        tracing::info!(upstream, what = &*self.what, "It could be renewed again.");
                    }
                    failures = 0;
                    let wait = until_renewal(lease.life);
                    self.hold(lease);
                    wait
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    let wait = backoff(failures).max(error.retry_after().unwrap_or_default().min(AHEAD));
                    self.fail(upstream, &error, wait);
                    wait
                }
            };
            sleep_until(asked_at + REFUSED.min(wait)).await;
            // Either end of the wait, a notice or the time, is a reason to ask.
            timeout_at(asked_at + wait, self.stale.notified()).await.ok();
        }
    }

    fn hold(&self, lease: Lease<T>) {
        if let Some(gauge) = &self.gauge {
            gauge.renewed(lease.life);
        }
        let until = lease.life.map(|life| Instant::now() + life.saturating_sub(MARGIN.min(life / 10)));
        self.held.store(Some(Arc::new(Held { value: Arc::new(lease.value), until })));
        self.outcome.send_replace(Outcome::Ready);
    }

    fn fail(&self, upstream: &str, error: &UpstreamError, wait: Duration) {
        if let Some(gauge) = &self.gauge {
            gauge.failed();
        }
        let reason = chain(error);
        let retry_in = wait.as_secs();
        tracing::warn!(upstream, what = &*self.what, reason, retry_in, "It could not be renewed.");
        let again = Instant::now() + wait;
        self.outcome.send_replace(Outcome::Failed { kind: error.kind(), reason: reason.into(), again });
    }
}

/// Shows whether there is a value, never the value.
impl<T> fmt::Debug for Renewed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed").field("what", &self.what).field("outcome", &*self.outcome.borrow()).finish()
    }
}

/// A value that nobody could use.
fn ended() -> UpstreamError {
    UpstreamError::new(ErrorKind::Unavailable, "what came has ended already: is the machine's clock right?")
}

/// Before the end by [`AHEAD`], or at half of a short life, a little earlier by chance so that gateways started together
/// do not ask together.
fn until_renewal(life: Option<Duration>) -> Duration {
    let Some(life) = life else {
        return REREAD;
    };
    let wait = life.saturating_sub(AHEAD).max(life / 2);
    wait.mul_f64(0.9 + 0.1 * fastrand::f64()).max(PAUSE)
}

/// Doubles from one second to a minute, with full jitter above the first half.
fn backoff(failures: u32) -> Duration {
    let longest = Duration::from_secs(1).saturating_mul(1 << failures.clamp(1, 7)).min(LONGEST);
    longest.mul_f64(0.5 + 0.5 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::{task::JoinSet, time::sleep};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// A value whose source answers by the number of the question, from 0.
    struct Bench {
        value: Arc<Renewed<usize>>,
        asked: Arc<AtomicUsize>,
        _task: JoinSet<()>,
    }

    impl Bench {
        fn start(answer: impl Fn(usize) -> Result<Lease<usize>, UpstreamError> + Send + Sync + 'static) -> Self {
            let (value, asked) = (Arc::new(Renewed::new("token")), Arc::new(AtomicUsize::new(0)));
            let mut task = JoinSet::new();
            let (kept, counter) = (Arc::clone(&value), Arc::clone(&asked));
            task.spawn(async move {
                kept.keep("test", || {
                    let answered = answer(counter.fetch_add(1, Ordering::SeqCst));
                    async {
                        sleep(Duration::from_millis(100)).await;
                        answered
                    }
                })
                .await;
            });
            Self { value, asked, _task: task }
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    fn good_for(value: usize, life: Duration) -> Result<Lease<usize>, UpstreamError> {
        Ok(Lease { value, life: Some(life) })
    }

    fn down() -> UpstreamError {
        UpstreamError::new(ErrorKind::Unavailable, "the source is down")
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_calls_wait_for_one_question() {
        let bench = Bench::start(|number| good_for(number, HOUR));
        let calls = (0..20).map(|_| bench.value.get());
        for value in futures_util::future::join_all(calls).await {
            assert_eq!(*value.unwrap(), 0);
        }
        assert_eq!(bench.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_renewed_ahead_of_its_end_and_no_call_waits() {
        let bench = Bench::start(|number| good_for(number, HOUR));
        bench.value.get().await.unwrap();
        for _ in 0..7200 {
            sleep(Duration::from_secs(1)).await;
            assert!(bench.value.current().is_some());
        }
        // Two hours, each renewal after 49.5 to 55 minutes.
        assert_eq!(bench.asked(), 3);
        assert_eq!(*bench.value.get().await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn while_renewing_fails_the_old_one_serves_until_its_end() {
        let bench = Bench::start(|number| if number == 0 { good_for(0, HOUR) } else { Err(down()) });
        bench.value.get().await.unwrap();
        sleep(HOUR - Duration::from_secs(10)).await;
        assert!(bench.asked() > 2, "it was asked again");
        assert_eq!(*bench.value.get().await.unwrap(), 0);
        sleep(Duration::from_secs(10)).await;
        let error = bench.value.get().await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unavailable, "there is no token: the source is down"));
        assert!(error.retry_after().unwrap() <= LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_told_at_once_and_heals() {
        let bench = Bench::start(|number| match number {
            0..3 => Err(UpstreamError::new(ErrorKind::Denied, "no such client")),
            _ => good_for(number, HOUR),
        });
        let error = bench.value.get().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.message().contains("no such client"), "{error}");
        sleep(Duration::from_secs(20)).await;
        assert_eq!(*bench.value.get().await.unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_never_answers_is_given_up() {
        let value = Arc::new(Renewed::<()>::new("token"));
        let mut task = JoinSet::new();
        let kept = Arc::clone(&value);
        task.spawn(async move { kept.keep("test", std::future::pending).await });
        let started = Instant::now();
        let error = value.get().await.unwrap_err();
        assert!(started.elapsed() < PATIENCE + Duration::from_secs(1));
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_that_has_ended_already_is_none() {
        let bench = Bench::start(|number| good_for(number, if number == 0 { Duration::ZERO } else { HOUR }));
        let error = bench.value.get().await.unwrap_err();
        assert!(error.kind() == ErrorKind::Unavailable && error.message().contains("clock"), "{error}");
        sleep(Duration::from_secs(5)).await;
        assert_eq!(*bench.value.get().await.unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_may_ask_to_be_left_alone() {
        let wait = Duration::from_secs(120);
        let bench = Bench::start(move |_| Err(down().with_retry_after(wait)));
        bench.value.get().await.unwrap_err();
        sleep(wait - Duration::from_secs(5)).await;
        assert_eq!(bench.asked(), 1);
        sleep(Duration::from_secs(10)).await;
        assert_eq!(bench.asked(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_one_is_renewed_before_its_time_but_not_at_every_refusal() {
        let bench = Bench::start(|number| good_for(number, HOUR));
        bench.value.get().await.unwrap();
        for _ in 0..100 {
            bench.value.refused();
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(bench.asked(), 4, "at the start and three times in 100 s");
        sleep(Duration::from_secs(600)).await;
        assert_eq!(bench.asked(), 5, "the last refusal is heard too, and then there is peace");
    }

    #[test]
    fn waits_are_bounded() {
        for failures in [7, 40, u32::MAX] {
            let wait = backoff(failures);
            assert!(wait >= LONGEST / 2 && wait <= LONGEST, "{wait:?}");
        }
        assert!(backoff(1) <= Duration::from_secs(2));
        assert_eq!(until_renewal(Some(Duration::ZERO)), PAUSE);
        assert_eq!(until_renewal(None), REREAD);
    }

    #[test]
    fn the_value_is_never_shown() {
        let value = Renewed::new("token");
        value.hold(Lease { value: "hush".to_owned(), life: None });
        assert!(!format!("{value:?}").contains("hush"));
    }
}
