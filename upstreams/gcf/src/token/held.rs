//! The token of one audience: held, renewed ahead, fetched by one task at a time.
//!
//! A token ends at a time of day that stands in it, so the clock here is the wall's, and nothing waits for a timer: what
//! is due is found out by the next call, or the next question whether the upstream is ready.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;
use callgate_core::{Context, ErrorKind, TokenGauge};
use callgate_http::HttpClient;
use http::HeaderValue;
use tokio::{sync::watch, time::timeout};

use super::{
    clock::Clock,
    error::TokenError,
    exchange::{Exchange, bearer},
    jwt,
    source::Source,
};

/// How long before its end a token is replaced, if it lives twice as long.
const AHEAD: Duration = Duration::from_secs(300);
/// By how much less than that, by chance, so that gateways started together do not ask together.
const SPREAD: Duration = Duration::from_secs(30);
/// How long before its end a token is no longer sent: it has to arrive, and clocks differ.
const MARGIN: Duration = Duration::from_secs(10);
/// How long one fetch may take, with all its questions.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest rest that those who issue tokens may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(300);
/// The longest rest after failures.
const LONGEST: Duration = Duration::from_secs(60);
/// The least age of a token that is given up because it was refused.
const REFUSABLE: Duration = Duration::from_secs(30);

/// What makes the tokens of all audiences.
#[derive(Debug)]
pub(crate) struct Minter {
    source: Source,
    exchange: Exchange,
}

impl Minter {
    pub(crate) fn new(source: Source, client: HttpClient, clock: Clock, context: Context) -> Self {
        Self { source, exchange: Exchange { client, clock, context } }
    }

    /// The source, for the log.
    pub(crate) fn source_name(&self) -> String {
        self.source.to_string()
    }

    fn now(&self) -> SystemTime {
        self.exchange.clock.now()
    }

    async fn mint(&self, audience: &str) -> Result<String, TokenError> {
        match timeout(PATIENCE, self.source.id_token(&self.exchange, audience)).await {
            Ok(minted) => minted,
            Err(_) => Err(TokenError::unavailable(format!("{} took over {} s", self.source, PATIENCE.as_secs()))),
        }
    }
}

/// The token for one audience. A clone is the same token.
#[derive(Clone)]
pub(crate) struct IdToken(Arc<Inner>);

struct Inner {
    audience: String,
    minter: Arc<Minter>,
    held: ArcSwapOption<Held>,
    flight: Mutex<Flight>,
    /// Changes whenever a fetch has ended.
    landed: watch::Sender<()>,
    gauge: Arc<TokenGauge>,
}

/// A token with its times.
struct Held {
    header: HeaderValue,
    minted: SystemTime,
    renew: SystemTime,
    ends: SystemTime,
}

/// The fetch, and what the last ones came to.
#[derive(Default)]
struct Flight {
    under_way: bool,
    failures: u32,
    /// The last failure, and until when nothing is asked because of it.
    rest: Option<(SystemTime, TokenError)>,
}

impl IdToken {
    pub(crate) fn new(audience: &str, minter: Arc<Minter>) -> Self {
        let gauge = minter.exchange.context.token(audience);
        Self(Arc::new(Inner {
            gauge,
            audience: audience.to_owned(),
            minter,
            held: ArcSwapOption::empty(),
            flight: Mutex::default(),
            landed: watch::Sender::new(()),
        }))
    }

    /// The value of the header that carries the token.
    ///
    /// # Errors
    /// There is none, and the last try to get one has failed.
    pub(crate) async fn header(&self) -> Result<HeaderValue, TokenError> {
        let mut landed = None;
        loop {
            let now = self.0.minter.now();
            if let Some(held) = self.0.held.load().as_deref().filter(|held| now < held.ends) {
                if now >= held.renew {
                    // Whether it may start or rests: this call has a token.
                    drop(self.start(now));
                }
                return Ok(held.header.clone());
            }
            let landed = landed.get_or_insert_with(|| self.0.landed.subscribe());
            self.start(now)?;
            if landed.changed().await.is_err() {
                return Err(TokenError::unavailable("the gateway stops"));
            }
        }
    }

    /// The function's platform refused the token: if it is not a new one, the next call gets another.
    pub(crate) fn refused(&self) {
        let old = self.0.held.load().as_deref().is_some_and(|held| self.0.minter.now() >= held.minted + REFUSABLE);
        if old {
            self.0.held.store(None);
        }
    }

    /// Makes sure that a fetch is under way.
    ///
    /// # Errors
    /// The last one has failed a moment ago, with the rest of the wait.
    fn start(&self, now: SystemTime) -> Result<(), TokenError> {
        let mut flight = self.0.flight();
        if flight.under_way {
            return Ok(());
        }
        if let Some((until, failure)) = &flight.rest
            && let Ok(left) = until.duration_since(now)
            && !left.is_zero()
        {
            return Err(TokenError { retry_after: Some(left), ..failure.clone() });
        }
        flight.under_way = true;
        drop(flight);
        let landing = Landing { token: Some(Arc::clone(&self.0)) };
        self.0.minter.exchange.context.spawn(landing.fetch());
        Ok(())
    }
}

/// A fetch under way. However it ends, those who wait are told.
struct Landing {
    token: Option<Arc<Inner>>,
}

impl Landing {
    async fn fetch(mut self) {
        let Some(token) = &self.token else { return };
        let minted = token.minter.mint(&token.audience).await;
        if let Some(token) = self.token.take() {
            token.land(minted);
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            token.land(Err(TokenError::unavailable("the gateway stops")));
        }
    }
}

impl Inner {
    fn flight(&self) -> MutexGuard<'_, Flight> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the token into force, or rests for a while.
    fn land(&self, minted: Result<String, TokenError>) {
        let now = self.minter.now();
        let held = minted.and_then(|token| Held::new(&token, now));
        let mut flight = self.flight();
        flight.under_way = false;
        match held {
            Ok(held) => {
                if flight.failures > 0 {
                    tracing::info!(audience = self.audience, "ID tokens are there again.");
                }
                (flight.failures, flight.rest) = (0, None);
                let life = (held.ends + MARGIN).duration_since(now).unwrap_or_default();
                self.gauge.renewed(Some(life));
                self.held.store(Some(Arc::new(held)));
            }
            Err(failure) => {
                self.gauge.failed();
                flight.failures = flight.failures.saturating_add(1);
                let asked = failure.retry_after.unwrap_or_default().min(LONGEST_ASKED);
                let wait = backoff(flight.failures).max(asked);
                tracing::warn!(
                    upstream = self.minter.exchange.context.name(),
                    source = %self.minter.source,
                    audience = self.audience,
                    reason = failure.message,
                    retry_in = wait.as_secs_f32(),
                    "No ID token was got."
                );
                flight.rest = Some((now + wait, failure));
            }
        }
        drop(flight);
        self.landed.send_replace(());
    }
}

impl Held {
    fn new(token: &str, now: SystemTime) -> Result<Self, TokenError> {
        let expiry = jwt::expiry(token).ok_or_else(|| TokenError::unavailable("what came is no JSON Web Token"))?;
        let life = expiry.duration_since(now).unwrap_or_default();
        if life <= MARGIN {
            let message = "the token that came has ended already: is this machine's clock right?";
            return Err(TokenError::new(ErrorKind::Unavailable, message));
        }
        let ahead = if life >= AHEAD * 2 { AHEAD + SPREAD.mul_f64(fastrand::f64()) } else { life / 2 };
        Ok(Self { header: bearer(token)?, minted: now, renew: expiry - ahead, ends: expiry - MARGIN })
    }
}

/// Doubles from one second to a minute, with full jitter above the first half.
fn backoff(failures: u32) -> Duration {
    let longest = Duration::from_secs(1).saturating_mul(1 << failures.clamp(1, 7)).min(LONGEST);
    longest.mul_f64(0.5 + 0.5 * fastrand::f64())
}

impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdToken").field("audience", &self.0.audience).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_wait_longer_and_longer_but_not_for_ever() {
        assert!(backoff(1) <= Duration::from_secs(2));
        for failures in [7, 40, u32::MAX] {
            let wait = backoff(failures);
            assert!(wait >= LONGEST / 2 && wait <= LONGEST, "{wait:?}");
        }
    }
}
