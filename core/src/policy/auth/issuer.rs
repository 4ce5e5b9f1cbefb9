//! The keys of an issuer that are somewhere else: fetched, kept, renewed.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use http::{Request, StatusCode, header};
use serde_json::Value;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};
use tracing::{info, warn};

use super::key_set::KeySet;
use crate::{
    body::Body,
    error::{UpstreamError, chain},
    remote::{HttpService, Remotes},
    upstream::{Context, Invalid},
};

/// How often the keys are asked for.
const REFRESH: Duration = Duration::from_secs(600);
/// The least time between two questions, whatever tokens say.
const PAUSE: Duration = Duration::from_secs(10);
/// The longest wait after failures while there are no keys at all.
const FIRST: Duration = Duration::from_secs(10);
/// The longest wait after failures while the last keys serve.
const LONGEST: Duration = Duration::from_secs(60);
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How large a document may be.
const MOST: u64 = 1 << 20;

/// The last keys of each issuer, which outlive a reload: its successor serves at once, even while the issuer is down.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastKeys(Arc<Mutex<HashMap<String, Arc<KeySet>>>>);

/// The keys of an issuer. One task asks for them; requests read them without waiting, except for the first time.
pub(crate) struct Issuer {
    source: Source,
    keys: ArcSwapOption<KeySet>,
    state: watch::Sender<State>,
    wanted: Notify,
    last: LastKeys,
}

/// Where keys are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// At this URL.
    Keys(String),
    /// Where the discovery document of this OpenID provider says.
    Provider(String),
}

#[derive(Debug, Clone)]
struct State {
    /// How many questions were answered, or not.
    asked: u64,
    /// When the last one began.
    begun: Instant,
    failure: Option<Arc<str>>,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("it can't be asked")]
    Unusable(#[source] Invalid),
    #[error("it does not answer")]
    Silent(#[source] UpstreamError),
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("its document breaks off, or is larger than {MOST} bytes")]
    Body(#[source] crate::body::BodyError),
    #[error("its set of keys can't be used")]
    Keys(#[source] super::key_set::KeySetError),
    #[error("its discovery document is no JSON")]
    Json(#[source] serde_json::Error),
    #[error("its discovery document has no `{0}`")]
    Lacks(&'static str),
    #[error("its discovery document is one of the issuer `{0}`")]
    OtherIssuer(String),
    #[error("its keys are at an address without TLS")]
    Insecure,
}

impl Issuer {
    /// Nothing was asked yet; the last keys of a former one may be there.
    pub(super) fn new(source: Source, last: &LastKeys) -> Self {
        let known = last.0.lock().unwrap_or_else(PoisonError::into_inner).get(source.url()).cloned();
        let state = State { asked: 0, begun: Instant::now(), failure: None };
        let keys = ArcSwapOption::new(known);
        Self { source, keys, state: watch::Sender::new(state), wanted: Notify::new(), last: last.clone() }
    }

    /// The keys; waits while the first question is under way.
    pub(super) async fn keys(&self) -> Result<Arc<KeySet>, Arc<str>> {
        if let Some(keys) = self.keys.load_full() {
            return Ok(keys);
        }
        let mut state = self.state.subscribe();
        let answered = state.wait_for(|state| state.asked > 0).await;
        let failure = answered.ok().and_then(|state| state.failure.clone());
        self.keys.load_full().ok_or_else(|| failure.unwrap_or_else(|| "the gateway stops".into()))
    }

    /// Newer keys than these, for a token whose key is not among them: asked for at most every ten seconds.
    pub(super) async fn newer(&self, than: &Arc<KeySet>) -> Option<Arc<KeySet>> {
        let newer = || self.keys.load_full().filter(|keys| !Arc::ptr_eq(keys, than));
        if let Some(keys) = newer() {
            return Some(keys);
        }
        let mut state = self.state.subscribe();
        let before = state.borrow_and_update().clone();
        if before.asked > 0 && before.begun.elapsed() < PAUSE {
            return None;
        }
        self.wanted.notify_one();
        // The wait is as long as a question may take.
        let answered = timeout(PATIENCE + PATIENCE, state.wait_for(|state| state.asked > before.asked)).await;
        drop(answered);
        newer()
    }

    /// Asks for ever: the one task that does.
    pub(super) async fn keep(&self, remotes: Arc<dyn Remotes>, context: Context) {
        let mut failures = 0_u32;
        loop {
            let begun = Instant::now();
            self.state.send_modify(|state| state.begun = begun);
            let fetched =
                timeout(PATIENCE, self.source.fetch(&*remotes, &context)).await.unwrap_or(Err(FetchError::Late));
            let wait = match &fetched {
                Ok(_) => REFRESH.mul_f64(0.9 + 0.1 * fastrand::f64()),
                Err(_) => self.pause(failures),
            };
            let failure = match fetched {
                Ok(keys) => {
                    if failures > 0 {
                        info!(issuer = self.source.url(), "The issuer's keys came again.");
                    }
                    failures = 0;
                    self.hold(keys);
                    None
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    let (reason, stale) = (chain(&error), self.keys.load().is_some());
                    warn!(issuer = self.source.url(), reason, stale, "The issuer's keys did not come.");
                    Some(reason.into())
                }
            };
            self.state.send_modify(|state| (state.asked, state.failure) = (state.asked + 1, failure));
            self.rest(begun, wait).await;
        }
    }

    /// Waits until the keys are due, or wanted and not asked for just now.
    async fn rest(&self, begun: Instant, wait: Duration) {
        tokio::select! {
            () = sleep_until(begun + wait) => {}
            () = async { loop {
                self.wanted.notified().await;
                if begun.elapsed() >= PAUSE {
                    break;
                }
            } } => {}
        }
    }

    fn pause(&self, failures: u32) -> Duration {
        let most = if self.keys.load().is_some() { LONGEST } else { FIRST };
        let wait = Duration::from_secs(1).saturating_mul(1 << failures.min(7)).min(most);
        wait.mul_f64(0.5 + 0.5 * fastrand::f64())
    }

    fn hold(&self, keys: KeySet) {
        let keys = Arc::new(keys);
        self.last
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(self.source.url().to_owned(), Arc::clone(&keys));
        self.keys.store(Some(keys));
    }
}

impl Source {
    pub(super) fn url(&self) -> &str {
        match self {
            Self::Keys(url) | Self::Provider(url) => url,
        }
    }

    async fn fetch(&self, remotes: &dyn Remotes, context: &Context) -> Result<KeySet, FetchError> {
        let service = |url: &str| remotes.http(url, context).map_err(FetchError::Unusable);
        let keys = match self {
            Self::Keys(url) => service(url)?,
            Self::Provider(issuer) => {
                let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
                let document = get(&*service(&url)?).await?;
                let document: Value = serde_json::from_slice(&document).map_err(FetchError::Json)?;
                service(&keys_of(&document, issuer)?)?
            }
        };
        KeySet::read(&get(&*keys).await?).map_err(FetchError::Keys)
    }
}

/// Where the keys are, by the discovery document (OpenID Connect Discovery 1.0, section 4.3).
fn keys_of(document: &Value, issuer: &str) -> Result<String, FetchError> {
    let text = |name| document.get(name).and_then(Value::as_str).ok_or(FetchError::Lacks(name));
    let own = text("issuer")?;
    if own != issuer {
        return Err(FetchError::OtherIssuer(own.to_owned()));
    }
    let keys = text("jwks_uri")?;
    if issuer.starts_with("https:") && !keys.starts_with("https:") {
        return Err(FetchError::Insecure);
    }
    Ok(keys.to_owned())
}

async fn get(service: &dyn HttpService) -> Result<bytes::Bytes, FetchError> {
    let mut request = Request::new(Body::empty());
    request.headers_mut().insert(header::ACCEPT, http::HeaderValue::from_static("application/json"));
    let reply = service.call(request).await.map_err(FetchError::Silent)?;
    if reply.status() != StatusCode::OK {
        return Err(FetchError::Status(reply.status()));
    }
    reply.into_body().collect(MOST).await.map_err(FetchError::Body)
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("source", &self.source).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
