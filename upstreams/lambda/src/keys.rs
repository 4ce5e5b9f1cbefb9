//! The credentials in force: one shared refresh ahead of expiry, and calls that read them without waiting.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::{ArcSwapOption, Guard};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError},
};
use callgate_core::{ErrorKind, TokenGauge, UpstreamError, chain};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use crate::sign::Signer;

/// How long before their end credentials are replaced, if they live that long.
const AHEAD: Duration = Duration::from_secs(300);
/// How often credentials without an end are read again: a file or an environment may have been rotated.
const REREAD: Duration = Duration::from_secs(900);
/// The least time between two questions to the chain, whatever the calls find.
const PAUSE: Duration = Duration::from_secs(2);
/// The longest wait after failures.
const LONGEST: Duration = Duration::from_secs(60);
/// How long the whole chain may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The signer of the moment, shared by all calls of an upstream.
#[derive(Debug)]
pub(crate) struct Keys {
    signer: ArcSwapOption<Signer>,
    outcome: watch::Sender<Outcome>,
    stale: Notify,
    region: Box<str>,
    /// Where the credentials come from, for messages.
    source: String,
}

/// What the last question to the chain brought.
#[derive(Debug, Clone)]
enum Outcome {
    Asking,
    Ready,
    Failed(ErrorKind, Arc<str>),
}

impl Keys {
    /// No credentials yet; [`refresh`](Self::refresh) gets them.
    pub(crate) fn new(region: &str, source: String) -> Self {
        Self {
            signer: ArcSwapOption::empty(),
            outcome: watch::Sender::new(Outcome::Asking),
            stale: Notify::new(),
            region: region.into(),
            source,
        }
    }

    /// Takes credentials into force.
    ///
    /// # Errors
    /// They hold what no header may hold.
    pub(crate) fn set(&self, credentials: Credentials) -> Result<(), UpstreamError> {
        match Signer::new(credentials, &self.region, "lambda") {
            Ok(signer) => {
                self.signer.store(Some(Arc::new(signer)));
                self.outcome.send_replace(Outcome::Ready);
                Ok(())
            }
            Err(error) => {
                let message = "the session token holds a character that no HTTP header may hold";
                self.outcome.send_replace(Outcome::Failed(ErrorKind::Denied, message.into()));
                Err(UpstreamError::new(ErrorKind::Denied, message).with_source(error))
            }
        }
    }

    /// The signer, if there is one now.
    pub(crate) fn current(&self) -> Guard<Option<Arc<Signer>>> {
        self.signer.load()
    }

    /// Waits until the first question to the chain is answered.
    ///
    /// # Errors
    /// There are no credentials, with the chain's reason.
    pub(crate) async fn wait(&self) -> Result<(), UpstreamError> {
        let mut outcome = self.outcome.subscribe();
        loop {
            if self.signer.load().is_some() {
                return Ok(());
            }
            if let Outcome::Failed(kind, reason) = &*outcome.borrow_and_update() {
                let message = format!("there are no AWS credentials from {}: {reason}", self.source);
                return Err(UpstreamError::new(*kind, message).not_executed());
            }
            if outcome.changed().await.is_err() {
                return Err(UpstreamError::new(ErrorKind::Unavailable, "the gateway stops").not_executed());
            }
        }
    }

    /// Says that the service found the credentials expired, so that they are replaced before their time.
    pub(crate) fn expired(&self) {
        self.stale.notify_one();
    }

    /// Keeps credentials in force, for ever. The one task that asks the chain.
    pub(crate) async fn refresh(&self, provider: SharedCredentialsProvider, upstream: &str, gauge: &TokenGauge) {
        let mut failures = 0_u32;
        loop {
            let wait = match self.ask(&provider).await {
                Ok(expiry) => {
                    if failures > 0 {
                        tracing::info!(upstream, "The AWS credentials are there again.");
                    }
                    failures = 0;
                    let now = SystemTime::now();
                    gauge.renewed(expiry.map(|expiry| expiry.duration_since(now).unwrap_or_default()));
                    until_refresh(expiry, now)
                }
                Err((kind, reason)) => {
                    gauge.failed();
                    failures = failures.saturating_add(1);
                    let wait = backoff(failures);
                    let seconds = wait.as_secs();
                    let source = &*self.source;
                    tracing::warn!(
                        upstream,
                        source,
                        reason,
                        retry_in = seconds,
                        "The AWS credentials could not be loaded."
                    );
                    self.outcome.send_replace(Outcome::Failed(kind, reason.into()));
                    wait
                }
            };
            tokio::time::sleep(PAUSE.min(wait)).await;
            // Either end of the wait, a notice or the time, is a reason to ask.
            timeout(wait.saturating_sub(PAUSE), self.stale.notified()).await.ok();
        }
    }

    async fn ask(&self, provider: &SharedCredentialsProvider) -> Result<Option<SystemTime>, (ErrorKind, String)> {
        let credentials = match timeout(PATIENCE, provider.provide_credentials()).await {
            Ok(Ok(credentials)) => credentials,
            Ok(Err(error)) => return Err((kind(&error), chain(&error))),
            Err(_) => {
                let message = format!("the providers did not answer within {} s", PATIENCE.as_secs());
                return Err((ErrorKind::Unavailable, message));
            }
        };
        let expiry = credentials.expiry();
        self.set(credentials).map_err(|error| (error.kind(), chain(&error)))?;
        Ok(expiry)
    }
}

/// A chain that found nothing will not find anything by itself; one whose service does not answer may.
fn kind(error: &CredentialsError) -> ErrorKind {
    match error {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => ErrorKind::Denied,
        _ => ErrorKind::Unavailable,
    }
}

/// Before the end by [`AHEAD`], or at half of a short life, a little earlier by chance so that gateways started together
/// do not ask together.
fn until_refresh(expiry: Option<SystemTime>, now: SystemTime) -> Duration {
    let Some(expiry) = expiry else {
        return REREAD;
    };
    let life = expiry.duration_since(now).unwrap_or(Duration::ZERO);
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
    use std::{
        ops::Range,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use aws_credential_types::provider::future;

    use super::*;

    /// Fails as often as it is told, then gives credentials that live for the given time.
    #[derive(Debug)]
    struct Source {
        asked: Arc<AtomicUsize>,
        /// The questions that fail, by their number from 0.
        fails: Range<usize>,
        life: Duration,
    }

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let asked = self.asked.fetch_add(1, Ordering::SeqCst);
            future::ProvideCredentials::ready(if self.fails.contains(&asked) {
                Err(CredentialsError::not_loaded("no file ~/.aws/credentials"))
            } else {
                let expiry = SystemTime::now() + self.life;
                Ok(Credentials::new(format!("AKID{asked}"), "very-secret", None, Some(expiry), "test"))
            })
        }
    }

    /// The first questions fail.
    fn start(failures: usize, life: Duration) -> (Arc<Keys>, Arc<AtomicUsize>) {
        start_source(0..failures, life)
    }

    /// All but the first questions fail.
    fn start_failing_after(answers: usize, life: Duration) -> (Arc<Keys>, Arc<AtomicUsize>) {
        start_source(answers..usize::MAX, life)
    }

    fn start_source(fails: Range<usize>, life: Duration) -> (Arc<Keys>, Arc<AtomicUsize>) {
        let keys = Arc::new(Keys::new("eu-west-1", "a test".to_owned()));
        let asked = Arc::new(AtomicUsize::new(0));
        let source = Source { asked: Arc::clone(&asked), fails, life };
        let task = Arc::clone(&keys);
        #[allow(clippy::disallowed_methods, reason = "a test has no core that would own the task")]
        tokio::spawn(async move {
            let gauge =
                callgate_core::Context::new("test", ".".as_ref(), tokio::runtime::Handle::current()).token("keys");
            task.refresh(SharedCredentialsProvider::new(source), "test", &gauge).await;
        });
        (keys, asked)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_calls_wait_for_one_question() {
        let (keys, asked) = start(0, Duration::from_secs(3600));
        let waits = (0..20).map(|_| keys.wait());
        for result in futures_util::future::join_all(waits).await {
            result.unwrap();
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert!(keys.current().is_some());
        assert!(!format!("{keys:?}").contains("very-secret"));
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_are_replaced_five_minutes_ahead_and_no_call_waits_for_it() {
        let (keys, asked) = start(0, Duration::from_secs(3600));
        keys.wait().await.unwrap();
        tokio::time::sleep(Duration::from_secs(2900)).await;
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        tokio::time::sleep(Duration::from_secs(405)).await;
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        assert!(keys.current().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn while_a_refresh_fails_the_old_credentials_stay_in_force() {
        let (keys, asked) = start_failing_after(1, Duration::from_secs(400));
        keys.wait().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1000)).await;
        assert!(asked.load(Ordering::SeqCst) > 5, "it is asked again and again");
        keys.wait().await.unwrap();
        assert!(format!("{keys:?}").contains("AKID0"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_chain_without_credentials_denies_with_its_reason_and_is_asked_again() {
        let (keys, _) = start(3, Duration::from_secs(3600));
        let error = keys.wait().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.message().contains("no file ~/.aws/credentials"), "{error}");
        let mut outcome = keys.outcome.subscribe();
        outcome.wait_for(|outcome| matches!(outcome, Outcome::Ready)).await.unwrap();
        keys.wait().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_expired_answer_of_the_service_brings_new_credentials_before_their_time() {
        let (keys, asked) = start(0, Duration::from_secs(3600));
        keys.wait().await.unwrap();
        let first = Arc::as_ptr(keys.current().as_ref().unwrap());
        keys.expired();
        tokio::time::sleep(PAUSE * 2).await;
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        assert_ne!(Arc::as_ptr(keys.current().as_ref().unwrap()), first);
    }

    #[test]
    fn refreshes_come_ahead_of_the_end() {
        let now = SystemTime::now();
        let wait = |seconds| until_refresh(Some(now + Duration::from_secs(seconds)), now).as_secs();
        assert!((2970..=3300).contains(&wait(3600)), "{}", wait(3600));
        assert!((180..=200).contains(&wait(400)), "{}", wait(400));
        assert_eq!(wait(0), PAUSE.as_secs());
        assert_eq!(until_refresh(None, now), REREAD);
    }

    #[test]
    fn failures_wait_longer_and_longer_but_not_for_ever() {
        assert!(backoff(1) <= Duration::from_secs(2));
        for failures in [7, 40, u32::MAX] {
            let wait = backoff(failures);
            assert!(wait >= LONGEST / 2 && wait <= LONGEST, "{wait:?}");
        }
    }
}
