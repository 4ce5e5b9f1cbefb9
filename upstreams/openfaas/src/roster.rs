//! Which functions the gateway has, as `/system/functions` lists them.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use callgate_core::{Body, Discovered, ErrorKind, UpstreamError, chain};
use callgate_http::{Endpoint, HttpClient};
use http::{Request, StatusCode, Uri, header::AUTHORIZATION};
use serde::Deserialize;
use tokio::time::timeout;

use crate::{credentials::Login, error, name::is_part};

/// How long a function that was listed counts as being there.
const FRESH: Duration = Duration::from_secs(10);

/// How long a function that was not listed counts as missing: it may be deployed any moment.
const MISSING: Duration = Duration::from_secs(1);

/// How long nothing is asked after a list that could not be had.
const PAUSE: Duration = Duration::from_secs(5);

/// How long a list may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most bytes of a list: some ten thousand functions.
const LONGEST: u64 = 16 << 20;

/// The lists of all namespaces that functions of the upstream are in.
#[derive(Debug)]
pub(crate) struct Rosters {
    source: Arc<Source>,
    rosters: Mutex<BTreeMap<Option<String>, Arc<Roster>>>,
}

/// The list of one namespace.
#[derive(Debug)]
pub(crate) struct Roster {
    source: Arc<Source>,
    /// `None` for the gateway's own.
    namespace: Option<String>,
    known: ArcSwapOption<Known>,
    /// Whoever has it asks; others wait for the answer.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Source {
    client: HttpClient,
    endpoint: Endpoint,
    login: Option<Login>,
}

/// What was listed last; `None` where the list could not be had.
#[derive(Debug)]
struct Known {
    at: Instant,
    names: Option<HashSet<String>>,
}

/// A function as the gateway lists it; other fields are of no interest.
#[derive(Debug, Deserialize)]
struct Listed {
    name: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    image: Option<String>,
}

impl Rosters {
    pub(crate) fn new(client: HttpClient, endpoint: Endpoint, login: Option<Login>) -> Self {
        Self { source: Arc::new(Source { client, endpoint, login }), rosters: Mutex::default() }
    }

    /// The list of a namespace; for binding and discovery, not for calls.
    pub(crate) fn of(&self, namespace: Option<&str>) -> Arc<Roster> {
        let namespace = namespace.map(str::to_owned);
        let mut rosters = self.rosters.lock().unwrap_or_else(PoisonError::into_inner);
        let roster = rosters.entry(namespace.clone()).or_insert_with(|| {
            let source = Arc::clone(&self.source);
            Arc::new(Roster { source, namespace, known: ArcSwapOption::empty(), turn: tokio::sync::Mutex::default() })
        });
        Arc::clone(roster)
    }
}

impl Roster {
    /// Whether a function is there; `None` where the gateway does not tell.
    pub(crate) async fn has(&self, name: &str) -> Option<bool> {
        if let Some(said) = self.remembered(name) {
            return said;
        }
        let asked = Instant::now();
        let _turn = self.turn.lock().await;
        let since = self.known.load().as_deref().filter(|known| known.at >= asked).map(|known| known.has(name));
        if let Some(said) = since {
            return said;
        }
        if let Err(error) = self.list().await {
            let told = self.known.load().as_deref().is_some_and(|known| known.names.is_none());
            self.known.store(Some(Arc::new(Known { at: Instant::now(), names: None })));
            let error = chain(&error);
            if told {
                tracing::debug!(error, "Whether a function is there can't be told.");
            } else {
                tracing::warn!(
                    error,
                    "Whether a function is there can't be told: calls of functions that are not may pass for accepted."
                );
            }
        }
        self.known.load().as_deref().and_then(|known| known.has(name))
    }

    /// What the last list says, while it holds.
    fn remembered(&self, name: &str) -> Option<Option<bool>> {
        let known = self.known.load();
        let known = known.as_deref()?;
        let said = known.has(name);
        let holds = match said {
            Some(true) => FRESH,
            Some(false) => MISSING,
            None => PAUSE,
        };
        (known.at.elapsed() < holds).then_some(said)
    }

    /// Asks for the functions of the namespace.
    pub(crate) async fn list(&self) -> Result<Vec<Discovered>, UpstreamError> {
        let asked = timeout(PATIENCE, self.ask()).await;
        let listed = asked.unwrap_or_else(|_| {
            Err(UpstreamError::new(ErrorKind::Timeout, "OpenFaaS did not list its functions in time"))
        })?;
        let own = |listed: &Listed| match (&self.namespace, &listed.namespace) {
            (Some(wanted), Some(namespace)) => wanted == namespace,
            _ => true,
        };
        let listed: Vec<_> = listed.into_iter().filter(|listed| own(listed) && is_part(&listed.name)).collect();
        let names = listed.iter().map(|listed| listed.name.clone()).collect();
        self.known.store(Some(Arc::new(Known { at: Instant::now(), names: Some(names) })));
        let discovered = listed.into_iter().map(|listed| {
            let function = Discovered::new(listed.name);
            match listed.image {
                Some(image) => function.with_note(image),
                None => function,
            }
        });
        Ok(discovered.collect())
    }

    async fn ask(&self) -> Result<Vec<Listed>, UpstreamError> {
        let Source { client, endpoint, login } = &*self.source;
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = endpoint.resolve(path(self.namespace.as_deref()));
        if let Some(login) = login {
            let header = login.header().await.map_err(|cause| {
                UpstreamError::new(ErrorKind::Denied, "the credentials can't be sent").with_source(cause)
            })?;
            request.headers_mut().insert(AUTHORIZATION, header);
        }
        let (head, body) = client.send(endpoint, request).await?.into_parts();
        let text = body.collect(LONGEST).await.map_err(|broken| error::reply_body(&broken))?;
        if head.status != StatusCode::OK {
            return Err(error::refused("/system/functions", head.status, &head.headers, &text));
        }
        serde_json::from_slice(&text).map_err(|cause| {
            UpstreamError::new(ErrorKind::BadReply, "what OpenFaaS sent is no list of functions").with_source(cause)
        })
    }
}

impl Known {
    fn has(&self, name: &str) -> Option<bool> {
        self.names.as_ref().map(|names| names.contains(name))
    }
}

/// Where a namespace is listed. A namespace has no character that would need an escape.
fn path(namespace: Option<&str>) -> Uri {
    const LIST: &str = "/system/functions";
    let list = || Uri::from_static(LIST);
    namespace.map_or_else(list, |namespace| format!("{LIST}?namespace={namespace}").parse().unwrap_or_else(|_| list()))
}
