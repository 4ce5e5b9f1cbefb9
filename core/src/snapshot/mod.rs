//! A configuration in force: upstreams connected, targets bound, one stack per destination.

mod describing;
mod discovery;
mod in_use;
mod listing;
mod load;
mod reload;
mod reuse;
mod shown;
mod state;
mod triggers;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

pub use describing::{DescribeError, Described};
pub use discovery::Found;
pub use in_use::InUse;
pub use listing::{DiscoverError, Listing};
pub use load::LoadError;
pub use reload::{Changes, Dropped, Reloaded, Turnover};
pub use state::{Listed, UpstreamState};
use tokio::time::timeout;
use tracing::warn;

use discovery::Discovery;
use reuse::MadeOf;
use shown::Shown;
use tokio_util::sync::CancellationToken;
use triggers::Active;

use crate::{
    document::{Masks, Sources},
    error::{ErrorKind, UpstreamError},
    failure::Failure,
    gateway::Route,
    observe::{AccessSink, Observers, TraceSink},
    policy::Guards,
    routing::RouteTable,
    upstream::{AnyUpstream, Context},
};

/// How long an upstream may take to say whether it is ready.
const READY: Duration = Duration::from_secs(5);

/// How long an upstream may take to flush what is under way when it is closed.
const CLOSE: Duration = Duration::from_secs(10);

/// What requests are served from.
pub struct Snapshot {
    pub(crate) table: Arc<RouteTable<usize>>,
    pub(crate) routes: Vec<Arc<Route>>,
    pub(crate) observers: Observers,
    /// Held by all that may call its functions, besides the snapshot itself.
    pub(crate) in_use: InUse,
    /// Cancelled when nothing uses the snapshot any more.
    ended: CancellationToken,
    upstreams: BTreeMap<String, Arc<Connected>>,
    triggers: Vec<Active>,
    /// What runs for the policies: the keys of issuers, connections to services that are asked.
    policies: Context,
    discoveries: BTreeMap<String, Discovery>,
    sources: Arc<Sources>,
    pub(crate) masks: Masks,
    shown: Arc<Shown>,
}

/// A connected upstream with the tasks that belong to it, and with what policies remember of it.
pub(crate) struct Connected {
    upstream: Arc<dyn AnyUpstream>,
    kind: &'static str,
    context: Context,
    guards: Guards,
    made_of: MadeOf,
}

impl Snapshot {
    /// The route of an index that the table gave.
    pub(crate) fn route(&self, index: usize) -> Result<&Route, Failure> {
        self.routes.get(index).map(|route| &**route).ok_or(Failure::NoRoute)
    }

    /// Has every request that ends told to this sink.
    #[must_use]
    pub fn logging_to(mut self, sink: Arc<dyn AccessSink>) -> Self {
        self.observers.access = Some(sink);
        self
    }

    /// Has the spans of requests, messages and calls told to this sink.
    #[must_use]
    pub fn tracing_to(mut self, sink: Arc<dyn TraceSink>) -> Self {
        self.observers.traces = Some(sink);
        self.trace_triggers();
        self
    }

    fn trace_triggers(&self) {
        if let Some(sink) = &self.observers.traces {
            self.triggers.iter().for_each(|trigger| trigger.runner.traces_to(sink));
        }
    }

    /// Asks every upstream whether calls can be expected to succeed, and tells what each says as it says it. Ends when all
    /// have.
    pub async fn each_ready(&self, tell: impl Fn(String, Result<(), UpstreamError>) + Sync) {
        let tell = &tell;
        let asked = self.upstreams.iter().map(|(name, connected)| async move {
            let said = timeout(READY, connected.upstream.ready()).await;
            let late = || UpstreamError::new(ErrorKind::Timeout, "it did not say in time whether it is ready");
            tell(name.clone(), said.unwrap_or_else(|_| Err(late())));
        });
        futures_util::future::join_all(asked).await;
    }

    /// Asks every upstream whether calls can be expected to succeed, and waits for all.
    pub async fn ready(&self) -> BTreeMap<String, Result<(), UpstreamError>> {
        let said = Said::default();
        self.each_ready(|name, ready| said.tell(name, ready)).await;
        said.all()
    }

    /// What upstreams say of their functions, for those whose document says `discover`. Waits until each has answered
    /// or failed once.
    pub async fn discovered(&self) -> BTreeMap<String, Result<Found, Arc<UpstreamError>>> {
        let found = self.discoveries.iter().map(|(name, discovery)| async move {
            let found = discovery.found(&self.sources).await;
            (name.clone(), found)
        });
        futures_util::future::join_all(found).await.into_iter().collect()
    }

    /// Closes the triggers and the upstreams, and ends their tasks. Called once, after the last request.
    pub async fn close(&self) {
        futures_util::future::join_all(self.triggers.iter().map(|trigger| trigger.runner.close())).await;
        let closed = self.upstreams.iter().map(|(name, connected)| connected.close(name));
        futures_util::future::join_all(closed).await;
        self.policies.end().await;
    }
}

/// What upstreams, or the sources of triggers, say of whether they are ready.
#[derive(Default)]
struct Said(Mutex<BTreeMap<String, Result<(), UpstreamError>>>);

impl Said {
    fn tell(&self, name: String, ready: Result<(), UpstreamError>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, ready);
    }

    fn all(self) -> BTreeMap<String, Result<(), UpstreamError>> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connected {
    /// Flushes what is under way and ends the upstream's tasks.
    async fn close(&self, name: &str) {
        if timeout(CLOSE, self.upstream.close()).await.is_err() {
            warn!(upstream = name, "An upstream did not close in time; its tasks are ended.");
        }
        self.context.end().await;
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("routes", &self.routes.len())
            .field("upstreams", &self.upstreams.keys())
            .finish_non_exhaustive()
    }
}
