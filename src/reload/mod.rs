//! The configuration is read anew while the gateway serves: when a file that it names changes, when the bucket that it is in
//! does, on SIGHUP, and when the admin is asked to.
//!
//! A reload is whole or nothing. The configuration is read and checked, what is new is connected and bound, and only then
//! it takes the place of the former one, at once. Where anything is wrong, nothing changes.

mod attempt;
mod history;
mod outcome;
mod read;
mod thread;
mod watch;

use std::{
    future::Future,
    sync::{
        Arc, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwapOption;
use callgate_core::{
    Dropped, Gateway, Registry, Secret,
    document::NamedFiles,
    plan::{AtStart, Plan, Shutdown},
};
use tokio::{
    runtime::Handle,
    sync::{Mutex, watch as channel},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use history::History;
pub(crate) use outcome::{Cause, Outcome, Reload};
pub(crate) use read::refused_tls;

use crate::{server::Listeners, source::Source};

/// How long what a reload dropped may take to be closed when the gateway ends.
const CLOSING: Duration = Duration::from_secs(10);

/// Reloads of the configuration, one after the other. Clones are the same.
#[derive(Clone)]
pub(crate) struct Reloads(Arc<Shared>);

struct Shared {
    source: Source,
    registry: Registry,
    gateway: Gateway,
    listeners: Listeners,
    background: Handle,
    /// Held by the reload that runs.
    in_force: Mutex<InForce>,
    /// The one that waits for it: there is never more than one.
    waiting: std::sync::Mutex<Option<Pending>>,
    history: History,
    /// The files that the configuration names, as they were at the last attempt.
    named: channel::Sender<Arc<NamedFiles>>,
    shutdown: channel::Sender<Shutdown>,
    admin_token: ArcSwapOption<Secret>,
    tasks: TaskTracker,
    triggers: Triggers,
    /// The gateway ends: nothing is reloaded any more.
    ending: CancellationToken,
    /// Held while a configuration is put in force, and when the gateway begins to end: what is in force then stays.
    swapping: std::sync::Mutex<()>,
}

/// What will be told of a reload once it is over.
type Pending = channel::Receiver<Option<Arc<Reload>>>;

/// The triggers that reloads have replaced and that still work on something.
#[derive(Debug, Default)]
struct Triggers {
    draining: TaskTracker,
    /// They return what they still work on.
    cut: CancellationToken,
    /// Messages that they returned because the gateway ended.
    returned: AtomicUsize,
}

/// What of the configuration in force is neither in the gateway nor in its listeners.
pub(crate) struct InForce {
    shutdown: Shutdown,
    /// What the gateway was started with and takes over at a restart alone.
    started_with: AtStart,
    admin_token: Option<Secret>,
}

impl InForce {
    pub(crate) fn of(plan: &Plan) -> Self {
        let admin_token = plan.admin_token().cloned();
        Self { shutdown: plan.shutdown(), started_with: plan.at_start().clone(), admin_token }
    }

    /// The settings of another configuration that have to wait for a restart.
    fn waiting(&self, next: &Self) -> Vec<&'static str> {
        self.started_with.differing(&next.started_with)
    }
}

impl Reloads {
    /// Reloads of the configuration of this source, which is in force.
    pub(crate) fn new(
        (source, registry): (Source, Registry),
        gateway: Gateway,
        listeners: Listeners,
        in_force: InForce,
        background: Handle,
    ) -> Self {
        let named = Arc::clone(gateway.snapshot().sources().named());
        Self(Arc::new(Shared {
            source,
            registry,
            listeners,
            background,
            history: History::default(),
            named: channel::Sender::new(named),
            shutdown: channel::Sender::new(in_force.shutdown),
            admin_token: ArcSwapOption::from(in_force.admin_token.clone().map(Arc::new)),
            in_force: Mutex::new(in_force),
            waiting: std::sync::Mutex::default(),
            gateway,
            tasks: TaskTracker::new(),
            triggers: Triggers::default(),
            ending: CancellationToken::new(),
            swapping: std::sync::Mutex::default(),
        }))
    }

    /// Reloads of a configuration that is nowhere.
    #[cfg(test)]
    pub(crate) fn of_nothing(gateway: Gateway, admin_token: Option<Secret>) -> Self {
        let shutdown = Shutdown { lame_duck: Duration::ZERO, grace: Duration::ZERO };
        let in_force = InForce { shutdown, started_with: AtStart::default(), admin_token };
        let nowhere = (Source::Files("nowhere.yaml".into()), Registry::new());
        Self::new(nowhere, gateway, Listeners::default(), in_force, Handle::current())
    }

    /// Reloads, after the reload that runs where one does. One that waits already stands for this one too: it reads what is
    /// there now. Goes on also where its caller goes away.
    pub(crate) async fn reload(&self, cause: Cause) -> Arc<Reload> {
        let told = self.begin(cause.clone()).wait_for(Option::is_some).await.ok().and_then(|told| told.clone());
        // The runtime ends.
        told.unwrap_or_else(|| Arc::new(Reload::broken(SystemTime::now(), Duration::ZERO, cause)))
    }

    /// Begins a reload, or joins the one that waits.
    fn begin(&self, cause: Cause) -> Pending {
        let mut waiting = self.0.waiting();
        if let Some(pending) = &*waiting {
            return pending.clone();
        }
        let (tell, pending) = channel::channel(None);
        *waiting = Some(pending.clone());
        let this = Arc::clone(&self.0);
        let (at, started) = (SystemTime::now(), Instant::now());
        let supervised = async move {
            let (shared, why) = (Arc::clone(&this), cause.clone());
            let attempt = Box::pin(async move { shared.attempt(at, started, why).await });
            let reload = match thread::apart(&this.background, attempt).await {
                Ok(Some(reload)) => reload,
                Ok(None) => this.remember(Reload::broken(at, started.elapsed(), cause)),
                Err(error) => {
                    this.waiting().take();
                    this.remember(Reload::impossible(at, started.elapsed(), cause, &error))
                }
            };
            tell.send_replace(Some(reload));
        };
        self.0.tasks.spawn_on(supervised, &self.0.background);
        pending
    }

    /// What was reloaded, or could not be.
    pub(crate) fn history(&self) -> &History {
        &self.0.history
    }

    /// What the admin demands of who asks it, as the configuration in force says.
    pub(crate) fn admin_token(&self) -> Option<Arc<Secret>> {
        self.0.admin_token.load_full()
    }

    /// How the gateway stops, as the configuration in force says.
    pub(crate) fn shutdown(&self) -> Shutdown {
        *self.0.shutdown.borrow()
    }

    /// Reloads when a file that the configuration names changes, until the gateway ends.
    pub(crate) async fn follow_files(self) {
        watch::follow(&self).await;
    }

    /// Reloads when the source changes that is not files, until the gateway ends.
    pub(crate) async fn follow_source(self) {
        let changed = || async { drop(self.reload(Cause::Bucket).await) };
        tokio::select! {
            () = self.0.source.follow(changed) => {}
            () = self.0.ending.cancelled() => {}
        }
    }

    /// Whether a source that is not files can be read at the moment.
    pub(crate) fn is_reachable(&self) -> Option<bool> {
        self.0.source.is_reachable()
    }

    /// Nothing is reloaded from now on: what is in force when this returns stays so.
    pub(crate) fn stop(&self) {
        let _swapping = self.0.swapping();
        self.0.ending.cancel();
    }

    /// Waits until the triggers that reloads have replaced have finished what they work on; after `over` they return it.
    /// Says how many messages they had to return.
    pub(crate) async fn drain_triggers(&self, over: impl Future<Output = ()>) -> usize {
        self.stop();
        let Triggers { draining, cut, returned } = &self.0.triggers;
        draining.close();
        tokio::select! {
            () = draining.wait() => {}
            () = over => {}
        }
        cut.cancel();
        draining.wait().await;
        returned.load(Ordering::Relaxed)
    }

    /// Waits until what former reloads dropped is closed.
    pub(crate) async fn end(&self) {
        self.stop();
        self.0.tasks.close();
        if timeout(CLOSING, self.0.tasks.wait()).await.is_err() {
            tracing::warn!("What a reload dropped was not closed in time.");
        }
    }
}

impl Shared {
    /// The reload that waits, if one does.
    fn waiting(&self) -> MutexGuard<'_, Option<Pending>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn swapping(&self) -> MutexGuard<'_, ()> {
        self.swapping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets what a reload dropped end, and closes it.
    fn retire(self: &Arc<Self>, mut dropped: Dropped, grace: Duration) {
        let this = Arc::clone(self);
        let draining = self.triggers.draining.token();
        let retired = async move {
            let over = async {
                tokio::select! {
                    () = sleep(grace) => {}
                    () = this.triggers.cut.cancelled() => {}
                }
            };
            let returned = dropped.drain_triggers(over).await;
            if this.ending.is_cancelled() {
                this.triggers.returned.fetch_add(returned, Ordering::Relaxed);
            }
            drop(draining);
            dropped.retire(std::future::ready(())).await;
        };
        self.tasks.spawn_on(retired, &self.background);
    }
}

impl std::fmt::Debug for Reloads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloads").field("source", &self.0.source).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use callgate_core::{
        Registry, Snapshot,
        document::{Document, System},
    };

    use super::*;

    async fn of_nothing() -> Reloads {
        let yaml = "routes: [{match: /a, respond: {status: 204}}]";
        let document = Document::parse("test.yaml", yaml, &System).unwrap_or_else(|report| panic!("{report}"));
        let plan = Plan::read(&document, &Registry::new()).unwrap_or_else(|report| panic!("{report}"));
        let snapshot = Snapshot::load(plan, &Handle::current()).await.unwrap();
        Reloads::of_nothing(Gateway::new(snapshot), None)
    }

    #[tokio::test]
    async fn those_who_ask_while_a_reload_runs_share_the_next_one() {
        let reloads = of_nothing().await;
        let running = reloads.0.in_force.lock().await;
        let asked: Vec<_> = (0..5).map(|_| reloads.begin(Cause::Request)).collect();
        drop(running);
        for mut pending in asked {
            pending.wait_for(Option::is_some).await.unwrap();
        }
        assert_eq!(reloads.history().last().len(), 1);
        reloads.reload(Cause::Signal).await;
        assert_eq!(reloads.history().last().len(), 2, "one that is asked for later is another one");
    }

    #[test]
    fn one_that_panics_is_a_defect_and_not_the_end_of_the_gateway() {
        let reload = Reload::broken(SystemTime::now(), Duration::ZERO, Cause::Signal);
        assert_eq!((&reload.to_json()["outcome"], &reload.to_json()["cause"]), (&"broken".into(), &"signal".into()));
    }
}
